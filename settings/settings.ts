/** The configuration of a stack (`stacks/Pulumi.<stack>.yaml`): read, checked as a whole, and reported with its config keys. */
import * as pulumi from "@pulumi/pulumi";
import { allConfig } from "@pulumi/pulumi/runtime";
import type { z } from "zod";
import { bootstrapSchema, environmentSchema } from "../components/spec/bootstrapSchema";
import { checkBootstrap, type CheckedBootstrap } from "../components/spec/check";
import { problemsOf, REQUIRED } from "../components/validation/problems";
import { type Check, refuse } from "../components/validation/refuse";
import { settingsSchema, targetSchema } from "./settingsSchema";
import { type Inventory, readWorkersFiles } from "./workersFile";

/** Checked settings. Secrets in them are plain text and must be wrapped before they go into a resource. */
export interface Settings extends z.output<typeof targetSchema> {
  readonly bootstrap: CheckedBootstrap;
}

/** The settings that are text, even when they look like something else: `platform: 1.30` is no number. */
const TEXTS = new Set(Object.entries(settingsSchema.shape).flatMap(([key, schema]) => (isText(schema) ? [key] : [])));

function isText(schema: unknown): boolean {
  const { type, innerType } = (schema as z.ZodType).def as { type: string; innerType?: z.ZodType };
  return innerType ? isText(innerType) : ["string", "enum"].includes(type);
}

/**
 * Stops the program with all problems, each at its config key or at its line of a file.
 * @throws pulumi.RunError
 */
function refuseSettings(namespace: string, { problems, lineOf }: Inventory, checks: readonly Check[]): void {
  const at = (where: string) => `${namespace}:${where}`;
  // A problem may name another worker, which may be in a file too.
  const naming = (problem: string) =>
    problem.replace(/pools\[\d+\]\.workers\[\d+\]\.\w+/g, (where) => lineOf(at(where)) ?? where);
  refuse("The configuration of this stack cannot be used", [
    ...problems,
    ...checks.flatMap(([where, problem, value]): Check[] =>
      problem === undefined ? [] : [[lineOf(at(where)) ?? at(where), naming(problem), value]],
    ),
  ]);
}

/**
 * Linux passes a program at most this many bytes in one environment variable (MAX_ARG_STRLEN), and Pulumi passes the whole config in
 * one.
 */
const LARGEST_CONFIG = 131_072;

/** A larger config is refused. The room above it is for users who add workers: a program that does not start cannot tell them why. */
const ACCEPTED_CONFIG = 120_000;

/**
 * Settings from raw config values, as Pulumi stores them: text, and JSON for lists and maps.
 *
 * @param bytes size of the environment variable that brings the whole config to the program
 * @throws pulumi.RunError with all problems, each at its config key or at its line of a file
 */
export function parseSettings(namespace: string, raw: Readonly<Record<string, string>>, bytes = 0): Settings {
  const unreadable: Check[] = [];
  const given: Record<string, unknown> = {};
  for (const [key, text] of Object.entries(raw)) {
    try {
      given[key] = TEXTS.has(key) ? text : JSON.parse(text);
    } catch {
      unreadable.push([key, "is text, but must be a list or map of settings"]);
    }
  }
  const { cluster, platform, ...rest } = given;
  const inventory = readWorkersFiles(`${namespace}:pools`, rest.pools);
  const target = targetSchema.safeParse({ cluster, platform }, REQUIRED);
  const { checks, spec } = checkBootstrap({ ...rest, pools: inventory.pools });
  const isUnreadable = ([where]: Check) => unreadable.some(([key]) => key === where);
  refuseSettings(namespace, inventory, [
    ...unreadable,
    targetCheck(given),
    sizeCheck(bytes),
    ...[...(target.success ? [] : problemsOf(target.error, "")), ...checks].filter((check) => !isUnreadable(check)),
  ]);
  return { ...target.data, bootstrap: spec! };
}

const targetCheck = ({ cluster, platform }: Readonly<Record<string, unknown>>): Check => {
  if ((cluster === undefined) !== (platform === undefined)) return ["cluster", undefined];
  return ["cluster", cluster === undefined ? "or 'platform' is required" : "and 'platform' cannot both be given"];
};

const sizeCheck = (bytes: number): Check => [
  "pools",
  bytes > ACCEPTED_CONFIG
    ? `the stack's config takes ${bytes} bytes; above ${LARGEST_CONFIG} Linux does not start the program. Move workers into a file: pools[].workersFile`
    : undefined,
];

/** The settings that decide what the workers download. */
const downloadSchema = environmentSchema
  .pick({ kubernetesVersion: true, downloadUrl: true, runtime: true, kubeProxy: true })
  .extend(bootstrapSchema.pick({ pools: true }).shape);

/**
 * Those settings from what stands in a stack's file, where secrets may be encrypted.
 * @throws pulumi.RunError with all problems, each at its config key or at its line of a file
 */
export function parseDownloadSettings(config: Readonly<Record<string, unknown>>): z.output<typeof downloadSchema> {
  const namespace = "tls-bootstrap";
  const given = Object.fromEntries(
    Object.keys(downloadSchema.shape).flatMap((key) => {
      const value = config[`${namespace}:${key}`];
      return value === undefined ? [] : [[key, value]];
    }),
  );
  const inventory = readWorkersFiles(`${namespace}:pools`, given.pools);
  const { data, error } = downloadSchema.safeParse({ ...given, pools: inventory.pools }, REQUIRED);
  refuseSettings(namespace, inventory, error ? problemsOf(error, "") : []);
  return data!;
}

/** The settings of the current stack. */
export function readSettings(): Settings {
  const namespace = pulumi.getProject();
  const ours = Object.entries(allConfig()).flatMap(([key, value]) =>
    key.startsWith(`${namespace}:`) ? [[key.slice(namespace.length + 1), value] as const] : [],
  );
  const variable = `PULUMI_CONFIG=${process.env.PULUMI_CONFIG ?? ""}\0`;
  return parseSettings(namespace, Object.fromEntries(ours), Buffer.byteLength(variable));
}
