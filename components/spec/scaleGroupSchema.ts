/** Scale groups: machines that come and go without Pulumi. */
import { z } from "zod";
import { renewedTokenTtl } from "../tokens/tokenTtl";
import * as rules from "../validation/rules";
import { ruledString } from "../validation/ruledString";
import { kubeletFlags, kubeletSettings, kubernetesVersionSetting, taint } from "./poolSchema";
import { runtimeSchema } from "./runtimeSchema";

/** How many bytes of user data the clouds take, before base64. */
export const USER_DATA_LIMITS = {
  /** https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-add-user-data.html */
  ec2: 16_384,
  /** https://docs.hetzner.cloud/reference/cloud#servers-create-a-server */
  hetzner: 32_768,
  /** The size of a TEXT column, in which Nova keeps it as base64. */
  openstack: 49_149,
  /** https://learn.microsoft.com/en-us/azure/virtual-machines/custom-data */
  azure: 65_535,
  /** https://cloud.google.com/compute/docs/metadata/setting-custom-metadata#limitations */
  gcp: 262_144,
} as const;

const DEFAULT_LIMIT = 65_535;

const LIMIT = `must be a number of bytes, or one of ${Object.keys(USER_DATA_LIMITS).join(", ")}`;

const userDataSchema = z
  .strictObject({
    format: z
      .enum(["cloud-init", "ignition"])
      .default("cloud-init")
      .describe("What the machines' image understands. `ignition`: version 3.3 of its config."),
    limit: z
      .union(
        [
          z.enum(Object.keys(USER_DATA_LIMITS) as (keyof typeof USER_DATA_LIMITS)[]),
          z.int().min(1, LIMIT).max(1_048_576, LIMIT),
        ],
        LIMIT,
      )
      .default(DEFAULT_LIMIT)
      .describe(
        `How much user data the cloud takes: a number of bytes, or ${Object.keys(USER_DATA_LIMITS)
          .map((name) => `\`${name}\``)
          .join(", ")}. The preview refuses user data that is larger.`,
      ),
    bundleUrl: ruledString(rules.downloadUrl)
      .optional()
      .describe(
        "URL of the output `scaleGroupBundle`, which you upload. Machines download their scripts from there, and verify the checksum. Default: the scripts are in the user data.",
      ),
  })
  .meta({ id: "UserDataSpec" });

export type UserData = z.output<typeof userDataSchema>;

/** The limit in bytes. */
export const limitBytes = ({ limit }: Pick<UserData, "limit">): number =>
  typeof limit === "number" ? limit : USER_DATA_LIMITS[limit];

export const scaleGroupSchema = z
  .strictObject({
    name: ruledString(rules.poolName).describe(
      "Name of the group. It is part of the token group `system:bootstrappers:<project>-<stack>:<name>`.",
    ),
    namePrefix: ruledString(rules.namePrefix).describe(
      "Prefix of the names of the group's nodes. The group's tokens may claim these names only.",
    ),
    tokenTtl: ruledString(renewedTokenTtl)
      .default("72h")
      .describe("Lifetime of a token, 2h to 30d. The first update after half of it mints the next token."),
    userData: userDataSchema
      .optional()
      .describe(
        "Makes user data with which the machines join by themselves. Without it the group has a token and a kubeconfig only, and the settings below cannot be set.",
      ),
    nodeName: ruledString(rules.nodeNameTemplate)
      .default("{hostname}")
      .describe(
        "Name of each node. `{hostname}` and, with `cloud-init`, `{instance-id}` stand for those of the machine. It must begin with `namePrefix`.",
      ),
    kubernetesVersion: kubernetesVersionSetting
      .optional()
      .describe("Version of Kubernetes on new machines. Default: the version for all pools."),
    runtime: runtimeSchema
      .optional()
      .describe("Container runtime of the group's machines. Default: the runtime for all pools."),
    labels: z
      .record(ruledString(rules.selfSetLabelKey), ruledString(rules.labelValue))
      .default({})
      .describe("Labels that new nodes register with, besides `tls-bootstrap/scale-group: <name>`."),
    taints: z.array(taint).default([]).describe("Taints that new nodes register with."),
    kubelet: kubeletSettings
      .default({})
      .describe("KubeletConfiguration fields that override this module's defaults and those for all pools."),
    kubeletFlags: kubeletFlags
      .default({})
      .describe("Command line flags of the kubelet that have no KubeletConfiguration field, by name without dashes."),
    addresses: z
      .array(ruledString(rules.cidr))
      .min(1)
      .optional()
      .describe(
        "Ranges of the machines' addresses, as CIDRs. Their kubelets get serving certificates for addresses in there only. Required with `servingCertificates.mode: approver`.",
      ),
    shutdownSeconds: z
      .int()
      .min(0)
      .max(3600)
      .default(90)
      .describe(
        "How long a machine that is powered off waits for the pods on it to be evicted, in seconds. `0`: it does not evict them.",
      ),
  })
  .meta({ id: "ScaleGroupSpec" });

export type ScaleGroupSetting = z.output<typeof scaleGroupSchema>;

/** Settings of a group that say nothing about its machines. */
export const TOKEN_SETTINGS: readonly string[] = ["name", "namePrefix", "tokenTtl"];
