/**
 * The configuration of a stack (`stacks/Pulumi.<stack>.yaml`): read, checked as a whole, and reported with its config keys.
 */
import { readFileSync } from "node:fs";
import * as pulumi from "@pulumi/pulumi";
import { allConfig } from "@pulumi/pulumi/runtime";
import { z } from "zod";
import { airGapChecks } from "../components/downloads/airGap";
import { kubeletChecks } from "../components/kubelet/levels";
import { type ClusterEndpoint, endpointOf, renderKubeconfig } from "../components/cluster/kubeconfig";
import { kubeProxy } from "../components/kubeProxy/kubeProxySpec";
import { type Check, refuse } from "../components/validation/refuse";
import * as rules from "../components/validation/rules";
import { proxy, runtime } from "../components/runtime/runtimeSpec";
import { claimChecks, kubeletSettings, pools, problemsOf, scaleGroups } from "../components/spec/schema";
import { by, byUnseen } from "../components/validation/strings";
import { checkServing, servingCertificates, servingKubeletChecks } from "../components/serving/servingCertificates";
import { type Inventory, readWorkersFiles } from "./workersFile";

const login = {
  user: by(rules.userName).default("root"),
  port: z.int().min(1).max(65535).default(22),
};

const kubeconfig = z.string().superRefine((text, context) => {
  try {
    endpointOf(text);
  } catch (error) {
    context.addIssue({ code: "custom", message: (error as Error).message });
  }
});

const cluster = z
  .strictObject({
    server: by(rules.apiServer).optional(),
    ca: byUnseen(rules.caCertificates).optional(),
    caFile: z.string().optional(),
    kubeconfig: kubeconfig.optional(),
    token: z.string().min(1).optional(),
    clientCertificate: z.string().optional(),
    clientKey: byUnseen(rules.privateKey).optional(),
  })
  .superRefine((value, context) => {
    const need = (key: keyof typeof value, message: string) =>
      context.addIssue({ code: "custom", path: [key], message });
    if (value.ca && value.caFile) need("caFile", "cannot be given together with 'ca'");
    if (value.kubeconfig) {
      if (value.token || value.clientCertificate || value.clientKey)
        need("kubeconfig", "cannot be given together with 'token' or 'clientCertificate'");
      return;
    }
    if (!value.server) need("server", "is required (or 'kubeconfig', which names the server)");
    if (!value.ca && !value.caFile) need("ca", "is required (or 'caFile', or a 'kubeconfig' that embeds it)");
    if (!value.token && !value.clientCertificate)
      need(
        "kubeconfig",
        "is required, or 'token', or 'clientCertificate' and 'clientKey': by it the cluster's side is declared",
      );
    if (Boolean(value.clientCertificate) !== Boolean(value.clientKey))
      need(value.clientKey ? "clientCertificate" : "clientKey", "is required: certificate and key belong together");
  });

const schema = z.strictObject({
  cluster: cluster.optional(),
  platform: by(rules.stackName).optional(),
  kubernetesVersion: by(rules.kubernetesVersion),
  clusterDomain: by(rules.dnsDomain).default("cluster.local"),
  clusterDns: z.array(by(rules.ip)).min(1).default(["10.96.0.10"]),
  clusterInfo: z.enum(["publish", "off"]).default("publish"),
  bindings: z
    .strictObject({ mode: z.enum(["create", "existing"]).default("create"), group: by(rules.bindingGroup).optional() })
    .default({ mode: "create" }),
  joinPolicy: z.enum(["enforce", "off"]).default("enforce"),
  servingCertificates: servingCertificates.default({ mode: "issued" }),
  downloadUrl: by(rules.downloadUrl).default("https://dl.k8s.io"),
  airGap: z.string().min(1).optional(),
  binDir: by(rules.hostFolder).default("/usr/local/bin"),
  proxy: proxy.default({}),
  runtime: runtime.default({ type: "preinstalled" }),
  tokenTtl: by(rules.tokenTtl).default("1h"),
  ssh: z.strictObject({
    ...login,
    privateKey: byUnseen(rules.privateKey),
    bastion: z
      .strictObject({
        ...login,
        host: by(rules.host),
        hostKey: by(rules.hostKey),
        privateKey: byUnseen(rules.privateKey).optional(),
      })
      .optional(),
  }),
  kubelet: kubeletSettings.default({}),
  kubeProxy: kubeProxy.default({ mode: "off" }),
  pools,
  scaleGroups: scaleGroups.default([]),
});

/** Checked settings; secrets in it are plain text and must be wrapped before they go into a resource. */
export type Settings = z.infer<typeof schema>;

/** The values that are text even when they look like something else (`kubernetesVersion: 1.30` is no number). */
const TEXTS = new Set([
  "platform",
  "kubernetesVersion",
  "clusterDomain",
  "clusterInfo",
  "joinPolicy",
  "downloadUrl",
  "airGap",
  "binDir",
  "tokenTtl",
]);

/**
 * Stops the program with all problems, each at its config key or at its line of a file.
 * @throws pulumi.RunError
 */
function refuseSettings(namespace: string, { problems, lineOf }: Inventory, checks: readonly Check[]): void {
  const at = (where: string) => `${namespace}:${where.replace(/^\./, "")}`;
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
 * Linux passes a program at most this many bytes in one variable of its environment (MAX_ARG_STRLEN), and Pulumi passes the whole
 * config in one.
 */
const LARGEST_CONFIG = 131_072;

/** A larger config is refused. The room above it is for users who add workers: a program that does not start cannot tell them why. */
const ACCEPTED_CONFIG = 120_000;

/**
 * Settings from raw config values, as Pulumi stores them: text, and JSON for lists and maps.
 *
 * @param bytes size of the variable that brings the whole config to the program
 * @throws pulumi.RunError with all problems, each at its config key or at its line of a file
 */
export function parseSettings(namespace: string, raw: Readonly<Record<string, string>>, bytes = 0): Settings {
  const unreadable: Check[] = [];
  const value: Record<string, unknown> = {};
  for (const [key, text] of Object.entries(raw)) {
    try {
      value[key] = TEXTS.has(key) ? text : JSON.parse(text);
    } catch {
      unreadable.push([key, "is text, but must be a list or map of settings"]);
    }
  }
  const skip = new Set(unreadable.map(([where]) => where));
  const either: Check =
    (value.cluster === undefined) === (value.platform === undefined)
      ? ["cluster", value.cluster ? "and 'platform' cannot both be given" : "or 'platform' is required"]
      : ["cluster", undefined];
  const size: Check = [
    "pools",
    bytes > ACCEPTED_CONFIG
      ? `the stack's config takes ${bytes} bytes; above ${LARGEST_CONFIG} Linux does not start the program. Move workers into a file: pools[].workersFile`
      : undefined,
  ];
  const inventory = readWorkersFiles(`${namespace}:pools`, value.pools);
  const given = { ...value, pools: inventory.pools };
  const problems = [...problemsOf(schema, given, ""), ...kubeletChecks(value.kubernetesVersion, given)];
  refuseSettings(namespace, inventory, [
    ...unreadable,
    either,
    size,
    ...problems.filter(([where]) => !skip.has(where.replace(/^\./, ""))),
  ]);
  const settings = schema.parse(given);
  const { mode } = settings.servingCertificates;
  refuseSettings(namespace, inventory, [
    ...claimChecks(settings.pools, settings.scaleGroups),
    ...checkServing("kubelet", mode, settings.kubelet),
    ...servingKubeletChecks(mode, settings.pools),
    ...airGapChecks(settings, settings.pools),
  ]);
  return settings;
}

/** What decides about the workers' downloads. */
const downloads = schema.pick({
  kubernetesVersion: true,
  downloadUrl: true,
  runtime: true,
  kubeProxy: true,
  pools: true,
});

/**
 * Those settings from what stands in a stack's file, where secrets may be encrypted.
 * @throws pulumi.RunError with all problems, each at its config key or at its line of a file
 */
export function parseDownloadSettings(config: Readonly<Record<string, unknown>>): z.infer<typeof downloads> {
  const namespace = "tls-bootstrap";
  const value = Object.fromEntries(
    Object.keys(downloads.shape).flatMap((key) => {
      const given = config[`${namespace}:${key}`];
      return given === undefined ? [] : [[key, given]];
    }),
  );
  const inventory = readWorkersFiles(`${namespace}:pools`, value.pools);
  const given = { ...value, pools: inventory.pools };
  refuseSettings(namespace, inventory, problemsOf(downloads, given, ""));
  return downloads.parse(given);
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

/** How to reach the cluster: as its workers do, and as its administrator does. */
export interface ClusterAccess extends ClusterEndpoint {
  /** Secret. */
  readonly kubeconfig: pulumi.Output<string>;
}

/** What a platform stack must export, and what each must look like. */
const PLATFORM_OUTPUTS: Readonly<Record<keyof ClusterAccess, rules.Rule>> = {
  server: rules.apiServer,
  ca: rules.caCertificates,
  kubeconfig: () => undefined,
};

/**
 * Access to the cluster, from the settings themselves or from the platform stack that they name.
 * @throws pulumi.RunError when the platform stack exports too little. A promise and no output, so that this ends the program
 * before anything is declared.
 */
export async function clusterAccess(settings: Settings): Promise<ClusterAccess> {
  return settings.platform ? fromPlatform(settings.platform) : fromSettings(settings.cluster!);
}

async function fromPlatform(stack: string): Promise<ClusterAccess> {
  const platform = new pulumi.StackReference(stack);
  const read = async (name: string) => {
    const details: { value?: unknown; secretValue?: unknown } = await platform.getOutputDetails(name);
    return [name, details.value ?? details.secretValue] as const;
  };
  const outputs = Object.fromEntries(await Promise.all(Object.keys(PLATFORM_OUTPUTS).map(read)));
  refuse(
    `Platform stack '${stack}' cannot be used, since it must export ${Object.keys(PLATFORM_OUTPUTS).join(", ")}`,
    Object.entries(PLATFORM_OUTPUTS).map(([name, rule]): Check => {
      const value = outputs[name];
      return [`output ${name}`, typeof value === "string" ? rule(value) : "is missing, or is no text"];
    }),
  );
  const { server, ca, kubeconfig } = outputs as Record<keyof ClusterAccess, string>;
  return { server, ca, kubeconfig: pulumi.secret(kubeconfig) };
}

function fromSettings(cluster: NonNullable<Settings["cluster"]>): ClusterAccess {
  const given = { server: cluster.server, ca: cluster.caFile ? readCa(cluster.caFile) : cluster.ca };
  const endpoint = { ...(cluster.kubeconfig && endpointOf(cluster.kubeconfig)), ...defined(given) } as ClusterEndpoint;
  const { token, clientCertificate, clientKey } = cluster;
  return {
    ...endpoint,
    kubeconfig: pulumi.secret(
      cluster.kubeconfig ?? renderKubeconfig(endpoint, "pulumi", { token, clientCertificate, clientKey }),
    ),
  };
}

const defined = <T extends object>(value: T) =>
  Object.fromEntries(Object.entries(value).filter(([, v]) => v !== undefined));

function readCa(file: string): string {
  let text: string | undefined;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    refuse("The cluster's CA cannot be read", [
      ["cluster.caFile", `cannot be read: ${(error as NodeJS.ErrnoException).code}`, file],
    ]);
  }
  refuse("The cluster's CA cannot be used", [["cluster.caFile", rules.caCertificates(text!), file]]);
  return text!;
}
