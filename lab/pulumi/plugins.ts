import { existsSync } from "node:fs";
import { copyFile, link, mkdir, readFile, realpath } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, dirname, join } from "node:path";
import { cacheFolder } from "../labPaths";
import { LabError } from "../host/labError";
import { writeFileAtomic } from "../host/files";
import { architecture, which } from "../host/platform";
import { attempt } from "../host/run";
import type { Say } from "../host/say";
import { sdkVersion } from "../plugins/sdkVersion";
import { bundlePlugins } from "./pluginBundle";
import type { PulumiCli } from "./pulumiCli";

/** Where plugins come from: published by Pulumi, or the lab's own stand-ins for them (lab/plugins). */
export const PLUGIN_KINDS = ["published", "stand-in"] as const;
export type PluginKind = (typeof PLUGIN_KINDS)[number];

/** The providers that the programs of this repository use. */
const RESOURCE_PLUGINS = ["command", "kubernetes", "random", "tls"] as const;
type ResourcePlugin = (typeof RESOURCE_PLUGINS)[number];

const LANGUAGE_HOST = "pulumi-language-nodejs";

/** Which plugins the CLI is to use. */
export interface Plugins {
  readonly languageHost: PluginKind;
  readonly resources: PluginKind;
}

export function describePlugins({ languageHost, resources }: Plugins): string {
  return `plugins: ${resources}${languageHost === resources ? "" : `, language host: ${languageHost}`}`;
}

const folderName = (name: ResourcePlugin): string => `resource-${name}-v${sdkVersion(name)}`;
const fileName = (name: ResourcePlugin): string => `pulumi-resource-${name}`;

/**
 * The variable that lets the Kubernetes plugin take over objects that exist, for the command after an interrupted one. An object that
 * another tool manages stays its own: the API server answers with a conflict.
 */
export const TAKE_OVER_VARIABLE = "TLS_BOOTSTRAP_LAB_TAKE_OVER";

/** The home of the CLI for plugins that the lab downloads. */
const downloadHome = (): string => join(cacheFolder(), "pulumi", "home");

/** The folder of a published resource plugin. */
async function findPublished(name: ResourcePlugin): Promise<string | undefined> {
  const homes = [process.env.PULUMI_HOME ?? join(homedir(), ".pulumi"), downloadHome()];
  const folder = homes
    .map((home) => join(home, "plugins", folderName(name)))
    .find((candidate) => existsSync(join(candidate, fileName(name))));
  const onPath = await which(fileName(name));
  return folder ?? (onPath === undefined ? undefined : dirname(await realpath(onPath)));
}

async function missingPlugins(): Promise<ResourcePlugin[]> {
  const folders = await Promise.all(RESOURCE_PLUGINS.map(findPublished));
  return RESOURCE_PLUGINS.filter((_, index) => folders[index] === undefined);
}

/**
 * Published plugins win where all of them are on this machine.
 * @param asked forces one kind; published plugins that are missing are then an error.
 */
export async function choosePlugins(cli: PulumiCli, asked?: PluginKind): Promise<Plugins> {
  if (asked === "stand-in") {
    return { languageHost: asked, resources: asked };
  }
  const hasHost = existsSync(join(dirname(await realpath(cli.file)), LANGUAGE_HOST));
  const missing = await missingPlugins();
  if (asked === "published" && (missing.length > 0 || !hasHost)) {
    const lacking = [
      ...missing.map((name) => `${fileName(name)} ${sdkVersion(name)}`),
      ...(hasHost ? [] : [LANGUAGE_HOST]),
    ];
    throw new LabError(
      `these published plugins are not on this machine: ${lacking.join(", ")}`,
      missing.length > 0
        ? missing.map((name) => `Run: pulumi plugin install resource ${name} ${sdkVersion(name)}`).join("\n")
        : "Install the official Pulumi CLI, which comes with it, and put it on PATH.",
    );
  }
  return {
    languageHost: hasHost ? "published" : "stand-in",
    resources: missing.length === 0 ? "published" : "stand-in",
  };
}

const PLUGIN_DOWNLOADS = "https://get.pulumi.com/releases/plugins";
const CONNECT_MS = 4000;

/** Downloads the published resource plugins that are missing, where Pulumi's site can be reached. */
export async function ensurePublishedPlugins(cli: PulumiCli, asked: PluginKind | undefined, say: Say): Promise<void> {
  for (const name of asked === "stand-in" ? [] : await missingPlugins()) {
    const version = sdkVersion(name);
    const url = `${PLUGIN_DOWNLOADS}/pulumi-resource-${name}-v${version}-linux-${architecture()}.tar.gz`;
    const answer = await fetch(url, { method: "HEAD", signal: AbortSignal.timeout(CONNECT_MS) }).catch(() => undefined);
    if (!answer?.ok) {
      say(`stand-ins, since ${new URL(url).host} can't be reached`);
      return;
    }
    say(`installing ${fileName(name)} ${version}`);
    const env = { PULUMI_HOME: downloadHome(), PULUMI_SKIP_UPDATE_CHECK: "true" };
    await attempt(cli.file, ["plugin", "install", "resource", name, version], { env, timeout: 300_000 });
  }
}

/**
 * Puts the plugins where the CLI finds them without a warning: resource plugins in its home, a language host beside its
 * executable. Returns the executable to run.
 */
export async function installPlugins(cli: PulumiCli, plugins: Plugins, home: string): Promise<string> {
  for (const name of RESOURCE_PLUGINS) {
    const published = plugins.resources === "published" && (await findPublished(name));
    const command = published ? [join(published, fileName(name))] : await standInCommand("resource", name);
    // The variable must not reach the program, whose SDK would write it into the stack's state.
    const takeOver = `[ -z "$${TAKE_OVER_VARIABLE}" ] || export PULUMI_K8S_UPSERT_EXISTING_OBJECTS=true`;
    await writeExecutable(join(home, "plugins", folderName(name), fileName(name)), command, [takeOver]);
  }
  if (plugins.languageHost === "published") {
    return cli.file;
  }
  const executable = join(home, "bin", `v${cli.version}`, basename(cli.file));
  if (!existsSync(executable)) {
    await mkdir(dirname(executable), { recursive: true });
    const file = await realpath(cli.file);
    // Not a symbolic link, since the CLI looks beside the file that the link leads to.
    await link(file, executable).catch(() => copyFile(file, executable));
  }
  await writeExecutable(join(dirname(executable), LANGUAGE_HOST), await standInCommand("language", "nodejs"));
  return executable;
}

/** A stand-in plugin: this clone's lab/plugins/pluginMain.ts with the words that say which one. */
const standInCommand = async (...words: readonly string[]): Promise<string[]> => [
  process.execPath,
  await bundlePlugins(),
  ...words,
];

/** Writes a script that becomes the command. */
async function writeExecutable(file: string, command: readonly string[], before: string[] = []): Promise<void> {
  const words = command.map((word) => `'${word.replaceAll("'", `'\\''`)}'`);
  const text = ["#!/bin/sh", ...before, `exec ${words.join(" ")} "$@"`, ""].join("\n");
  if ((await readFile(file, "utf8").catch(() => undefined)) !== text) {
    await writeFileAtomic(file, text, 0o755);
  }
}
