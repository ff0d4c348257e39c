/** Schemas of a stack's config: access to the cluster, and the settings of the components. */
import { z } from "zod";
import { endpointOf } from "../components/cluster/kubeconfig";
import {
  apiServerVersionSetting,
  bootstrapSchema,
  clientCaSetting,
  environmentSchema,
} from "../components/spec/bootstrapSchema";
import { poolSchema } from "../components/spec/poolSchema";
import * as rules from "../components/validation/rules";
import { hiddenString, ruledString } from "../components/validation/ruledString";

/** A kubeconfig whose current context has a server and its CA. */
export const kubeconfigRule: rules.Rule = (text) => {
  try {
    const { server, ca } = endpointOf(text);
    const [ofServer, ofCa] = [rules.apiServer(server), rules.caCertificates(ca)];
    if (ofServer) return `has a wrong server in its current context: it ${ofServer}`;
    return ofCa && `has a wrong CA in its current context: it ${ofCa}`;
  } catch (error) {
    return (error as Error).message;
  }
};

export const accessSchema = z
  .strictObject({
    kubeconfig: hiddenString(kubeconfigRule, { secret: true })
      .optional()
      .describe("Kubeconfig of an administrator. Server and CA are those of its current context, unless given here."),
    server: ruledString(rules.apiServer)
      .optional()
      .describe("URL of the API server as the workers reach it. Default: from `kubeconfig`."),
    ca: hiddenString(rules.caCertificates)
      .optional()
      .describe("PEM certificates of the CA that signed the API server's certificate. Default: from `kubeconfig`."),
    caFile: z.string().optional().describe("File with the CA certificates, instead of `ca`."),
    clientCa: clientCaSetting.optional(),
    clientCaFile: z.string().optional().describe("File with the certificates of `clientCa`."),
    token: z.string().min(1).optional().meta({ secret: true }).describe("Bearer token, instead of `kubeconfig`."),
    clientCertificate: z.string().optional().describe("PEM client certificate, instead of `kubeconfig`."),
    clientKey: hiddenString(rules.privateKey, { secret: true })
      .optional()
      .describe("PEM private key of `clientCertificate`."),
    kubernetesVersion: apiServerVersionSetting.optional(),
  })
  .superRefine((value, context) => {
    const problem = (key: keyof typeof value, message: string) =>
      context.addIssue({ code: "custom", path: [key], message });
    if (value.ca && value.caFile) problem("caFile", "cannot be given together with 'ca'");
    if (value.clientCa && value.clientCaFile) problem("clientCaFile", "cannot be given together with 'clientCa'");
    if (value.kubeconfig) {
      if (value.token || value.clientCertificate || value.clientKey)
        problem("kubeconfig", "cannot be given together with 'token' or 'clientCertificate'");
      return;
    }
    if (!value.server) problem("server", "is required (or 'kubeconfig', which has the server)");
    if (!value.ca && !value.caFile) problem("ca", "is required (or 'caFile', or a 'kubeconfig' that embeds the CA)");
    if (!value.token && !value.clientCertificate)
      problem(
        "kubeconfig",
        "is required (or 'token', or 'clientCertificate' with 'clientKey'): Pulumi needs credentials for the cluster",
      );
    if (Boolean(value.clientCertificate) !== Boolean(value.clientKey))
      problem(value.clientKey ? "clientCertificate" : "clientKey", "is required: certificate and key belong together");
  })
  .meta({ id: "ClusterAccess" });

export type Access = z.output<typeof accessSchema>;

/** A stack sets exactly one of the two. */
export const targetSchema = z.strictObject({
  cluster: accessSchema.optional().describe("How to reach the cluster. Or set `platform`."),
  platform: ruledString(rules.stackName, { pattern: "^[\\w.-]+/[\\w.-]+/[\\w.-]+$" })
    .optional()
    .describe(
      "`<organization>/<project>/<stack>` of a stack that exports `server`, `ca` and `kubeconfig` (a secret). It may also export `kubeletServingCa`, `kubeletClientCa` (see `cluster.clientCa`), `kubernetesVersion` (see `cluster.kubernetesVersion`), `workers` (see `pools[].workersFrom`) and `formatVersion`, which is 1.",
    ),
});

/** A pool whose workers may be in a file, or in the platform stack. */
export const settingsPoolSchema = poolSchema
  .partial({ workers: true })
  .extend({
    workersFile: z
      .string()
      .min(1)
      .optional()
      .describe(
        "YAML or JSON file with the list of workers, instead of `workers`. Relative to Pulumi.yaml, or absolute.",
      ),
    workersFrom: z
      .enum(["platform"])
      .optional()
      .describe(
        "`platform`: the output `workers` of the platform stack has the list of workers, by pool name. Instead of `workers`.",
      ),
  })
  .meta({ id: "Pool" });

/** All settings of a stack, for generated docs and editor schemas. The program checks settings part by part, see parseSettings. */
export const settingsSchema = targetSchema
  .extend(environmentSchema.shape)
  .extend(bootstrapSchema.shape)
  .extend({ pools: z.array(settingsPoolSchema).min(1).describe("The pools of workers.") });
