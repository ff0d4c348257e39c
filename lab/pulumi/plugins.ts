import { existsSync } from "node:fs";
import { copyFile, link, mkdir, readFile, realpath } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, dirname, join } from "node:path";
import { bundles, cacheFolder } from "../labPaths";
import { LabError } from "../host/labError";
import { writeFileAtomic } from "../host/files";
import { architecture, which } from "../host/platform";
import { attempt } from "../host/run";
import type { Say } from "../host/say";
import { sdkVersion } from "../plugins/sdkVersion";
import type { PulumiCli } from "./pulumiCli";

/** Plugins are published by Pulumi, or the lab's stand-ins for them (lab/plugins). */
export const PLUGIN_KINDS = ["published", "stand-in"] as const;
export type PluginKind = (typeof PLUGIN_KINDS)[number];

/** The providers that the programs of this repository use. */
const RESOURCE_PLUGINS = ["command", "kubernetes", "random", "tls"] as const;
type ResourcePlugin = (typeof RESOURCE_PLUGINS)[number];

const LANGUAGE_HOST = "pulumi-language-nodejs";

/** The plugins that the CLI uses. */
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
 * The environment variable with which the Kubernetes plugin takes over existing objects, for the command after an interrupted one. For an
 * object that another tool manages, the API server answers with a conflict.
 */
export const TAKE_OVER_VARIABLE = "TLS_BOOTSTRAP_LAB_TAKE_OVER";

/** The CLI's home folder for the published plugins that the lab downloads. */
const downloadHome = (): string => join(cacheFolder(), "pulumi", "home");

/** Finds the folder of a published resource plugin in a home folder of the CLI or on PATH. */
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
 * Chooses published resource plugins when this machine has all of them, and stand-ins otherwise. The same for the language host.
 * @param asked the kind that the user asked for
 * @throws LabError when the user asked for published plugins and some are missing
 */
export async function choosePlugins(cli: PulumiCli, asked?: PluginKind): Promise<Plugins> {
  if (asked === "stand-in") {
    return { languageHost: asked, resources: asked };
  }
  const hasHost = existsSync(join(dirname(await realpath(cli.file)), LANGUAGE_HOST));
  const missing = await missingPlugins();
  if (asked === "published" && (missing.length > 0 || !hasHost)) {
    const names = [
      ...missing.map((name) => `${fileName(name)} ${sdkVersion(name)}`),
      ...(hasHost ? [] : [LANGUAGE_HOST]),
    ];
    throw new LabError(
      `this machine lacks the published plugins ${names.join(", ")}`,
      missing.length > 0
        ? missing.map((name) => `Run: pulumi plugin install resource ${name} ${sdkVersion(name)}`).join("\n")
        : "Install the official Pulumi CLI, which includes the language host, and put it on PATH.",
    );
  }
  return {
    languageHost: hasHost ? "published" : "stand-in",
    resources: missing.length === 0 ? "published" : "stand-in",
  };
}

const PLUGIN_DOWNLOADS = "https://get.pulumi.com/releases/plugins";
const CONNECT_MS = 4000;

/** Downloads the published resource plugins that this machine lacks, if it reaches Pulumi's site. */
export async function ensurePublishedPlugins(cli: PulumiCli, asked: PluginKind | undefined, say: Say): Promise<void> {
  for (const name of asked === "stand-in" ? [] : await missingPlugins()) {
    const version = sdkVersion(name);
    const url = `${PLUGIN_DOWNLOADS}/pulumi-resource-${name}-v${version}-linux-${architecture()}.tar.gz`;
    const answer = await fetch(url, { method: "HEAD", signal: AbortSignal.timeout(CONNECT_MS) }).catch(() => undefined);
    if (!answer?.ok) {
      say(`using stand-in plugins: cannot reach ${new URL(url).host}`);
      return;
    }
    say(`installing ${fileName(name)} ${version}`);
    const env = { PULUMI_HOME: downloadHome(), PULUMI_SKIP_UPDATE_CHECK: "true" };
    await attempt(cli.file, ["plugin", "install", "resource", name, version], { env, timeout: 300_000 });
  }
}

/**
 * Puts the plugins where the CLI finds them without a warning: resource plugins into its home, a language host beside its executable.
 * @returns the executable of the CLI to run
 */
export async function installPlugins(cli: PulumiCli, plugins: Plugins, home: string): Promise<string> {
  for (const name of RESOURCE_PLUGINS) {
    const published = plugins.resources === "published" && (await findPublished(name));
    const command = published ? [join(published, fileName(name))] : standInCommand("resource", name);
    // Set here, in the plugin's script. The program must not see the variable, because its SDK would write it into the state.
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
    // No symbolic link, because the CLI would look for the language host beside the link's target.
    await link(file, executable).catch(() => copyFile(file, executable));
  }
  await writeExecutable(join(dirname(executable), LANGUAGE_HOST), standInCommand("language", "nodejs"));
  return executable;
}

const standInCommand = (...words: readonly string[]): string[] => [process.execPath, bundles.plugins, ...words];

async function writeExecutable(file: string, command: readonly string[], before: string[] = []): Promise<void> {
  const words = command.map((word) => `'${word.replaceAll("'", `'\\''`)}'`);
  const text = ["#!/bin/sh", ...before, `exec ${words.join(" ")} "$@"`, ""].join("\n");
  if ((await readFile(file, "utf8").catch(() => undefined)) !== text) {
    await writeFileAtomic(file, text, 0o755);
  }
}
