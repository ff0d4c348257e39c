/** Reads the config of a stack (`stacks/Pulumi.<stack>.yaml`), and reports all its problems with their config keys. */
import * as pulumi from "@pulumi/pulumi";
import { allConfig } from "@pulumi/pulumi/runtime";
import type { z } from "zod";
import { bootstrapSchema, environmentSchema } from "../components/spec/bootstrapSchema";
import { checkBootstrap, type CheckedBootstrap } from "../components/spec/check";
import { skewChecks } from "../components/kubelet/versionSkew";
import { isMap } from "../components/validation/maps";
import { problemsOf, REQUIRED } from "../components/validation/problems";
import { type Check, refuse } from "../components/validation/refuse";
import * as rules from "../components/validation/rules";
import { PlatformStack } from "./platformStack";
import { settingsSchema, targetSchema } from "./settingsSchema";
import { type ExportedWorkers, type Inventory, readWorkersFiles } from "./workersFile";

/** Checked settings. Secrets are in plain text: wrap them with `pulumi.secret` before they go into a resource. */
export interface Settings extends z.output<typeof targetSchema> {
  readonly bootstrap: CheckedBootstrap;
  /** The platform stack, when it has been read for its workers. A program refers to a stack once. */
  readonly platformStack?: PlatformStack;
  /**
   * Stops the program when there are more problems.
   * @param checks places without the namespace of the config keys.
   * @throws pulumi.RunError as {@link parseSettings}.
   */
  readonly refuse: (checks: readonly Check[]) => void;
}

/** Keys of settings that are text. They are not parsed as JSON, so `platform: 1.30` stays text. */
const TEXT_KEYS = new Set(
  Object.entries(settingsSchema.shape).flatMap(([key, schema]) => (isText(schema) ? [key] : [])),
);

function isText(schema: unknown): boolean {
  const { type, innerType } = (schema as z.ZodType).def as { type: string; innerType?: z.ZodType };
  return innerType ? isText(innerType) : ["string", "enum"].includes(type);
}

/**
 * Stops the program when there are problems.
 * @param namespace prefix of the config keys.
 * @param checks places without the namespace.
 * @throws pulumi.RunError with all problems, each at its config key or at its line of a workers file.
 */
function refuseSettings(namespace: string, { problems, lineOf }: Inventory, checks: readonly Check[]): void {
  const at = (where: string) => `${namespace}:${where}`;
  // A problem may name a setting of another worker, which may be in a file too.
  const withLines = (problem: string) =>
    problem.replace(/pools\[\d+\]\.workers\[\d+\]\.\w+/g, (where) => lineOf(at(where)) ?? where);
  refuse("The configuration of this stack cannot be used", [
    ...problems,
    ...checks.flatMap(([where, problem, value]): Check[] =>
      problem === undefined ? [] : [[lineOf(at(where)) ?? at(where), withLines(problem), value]],
    ),
  ]);
}

/** Bytes that Linux passes to a program in one environment variable (MAX_ARG_STRLEN). Pulumi passes the whole config in one variable. */
const LINUX_LIMIT = 131_072;

/**
 * Bytes of config that the program accepts. The limit is below Linux's, so that a growing config reaches it first: a program that Linux
 * does not start cannot say why.
 */
const CONFIG_LIMIT = 120_000;

/**
 * Checks raw config values and fills in defaults.
 *
 * @param namespace prefix of the config keys.
 * @param raw values by key without the namespace, as Pulumi stores them: text, or JSON for lists and maps.
 * @param bytes size of the environment variable that has the whole config.
 * @param exported the workers of the platform stack. Without them, pools with `workersFrom` have no workers.
 * @throws pulumi.RunError with all problems, each at its config key, at its line of a workers file, or at its place in the platform stack's output.
 */
export function parseSettings(
  namespace: string,
  raw: Readonly<Record<string, string>>,
  bytes = 0,
  exported?: ExportedWorkers,
): Settings {
  const unreadable: Check[] = [];
  const given: Record<string, unknown> = {};
  for (const [key, text] of Object.entries(raw)) {
    try {
      given[key] = TEXT_KEYS.has(key) ? text : JSON.parse(text);
    } catch {
      unreadable.push([key, "is text, but must be a list or map of settings"]);
    }
  }
  const { cluster, platform, ...rest } = given;
  const inventory = readWorkersFiles(`${namespace}:pools`, rest.pools, exported);
  const target = targetSchema.safeParse({ cluster, platform }, REQUIRED);
  const { checks, spec } = checkBootstrap({ ...rest, pools: inventory.pools });
  const isUnreadable = ([where]: Check) => unreadable.some(([key]) => key === where);
  refuseSettings(namespace, inventory, [
    ...unreadable,
    targetCheck(given),
    ...workersFromChecks(given),
    sizeCheck(bytes),
    ...[...(target.success ? [] : problemsOf(target.error, "")), ...checks].filter((check) => !isUnreadable(check)),
    ...skewChecks(
      { version: isMap(cluster) ? cluster.kubernetesVersion : undefined, source: "cluster.kubernetesVersion" },
      { ...rest, pools: inventory.pools },
    ),
  ]);
  return { ...target.data, bootstrap: spec!, refuse: (more) => refuseSettings(namespace, inventory, more) };
}

const targetCheck = ({ cluster, platform }: Readonly<Record<string, unknown>>): Check => {
  if ((cluster === undefined) !== (platform === undefined)) return ["cluster", undefined];
  return [
    "cluster",
    cluster === undefined ? "is required (or 'platform')" : "cannot be given together with 'platform'",
  ];
};

const workersFromChecks = ({ platform, pools }: Readonly<Record<string, unknown>>): Check[] =>
  platform !== undefined || !Array.isArray(pools)
    ? []
    : pools.map((pool: unknown, p): Check => [
        `pools[${p}].workersFrom`,
        isMap(pool) && pool.workersFrom === "platform" ? "needs 'platform', the stack that exports them" : undefined,
      ]);

const sizeCheck = (bytes: number): Check => [
  "pools",
  bytes > CONFIG_LIMIT
    ? `the stack's config takes ${bytes} bytes; above ${LINUX_LIMIT} Linux does not start the program. Move workers into a file: pools[].workersFile`
    : undefined,
];

/** The settings that decide what workers download. */
const downloadSchema = environmentSchema
  .pick({ kubernetesVersion: true, checksums: true, downloadUrl: true, runtime: true, kubeProxy: true })
  .extend(bootstrapSchema.pick({ pools: true }).shape);

/**
 * Checks the settings that decide what workers download.
 * @param config the `config` section of a stack's file. It may hold encrypted secrets.
 * @throws pulumi.RunError with all problems of these settings, each at its config key or at its line of a workers file.
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

/** The output with workers that a platform stack may export: a list by pool name. */
const WORKERS_OUTPUT = "workers";

/**
 * Reads the settings of the current stack, and the workers that its platform stack exports, when a pool takes them from there.
 * @throws pulumi.RunError with all problems, see {@link parseSettings}.
 */
export async function readSettings(): Promise<Settings> {
  const namespace = pulumi.getProject();
  const ours = Object.entries(allConfig()).flatMap(([key, value]) =>
    key.startsWith(`${namespace}:`) ? [[key.slice(namespace.length + 1), value] as const] : [],
  );
  const variable = `PULUMI_CONFIG=${process.env.PULUMI_CONFIG ?? ""}\0`;
  const raw = Object.fromEntries(ours);
  const { platform: stack } = raw;
  const reads = raw.pools?.includes('"workersFrom"') && stack !== undefined && rules.stackName(stack) === undefined;
  const platformStack = reads ? new PlatformStack(stack) : undefined;
  const exported = platformStack && {
    source: `output ${WORKERS_OUTPUT} of ${stack}`,
    byPool: await platformStack.output(WORKERS_OUTPUT),
  };
  return { ...parseSettings(namespace, raw, Buffer.byteLength(variable), exported), platformStack };
}
