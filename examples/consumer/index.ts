import * as pulumi from "@pulumi/pulumi";
import type { JoinReceipt } from "../../components";

const nodes = new pulumi.StackReference(new pulumi.Config().require("nodes"));
const receipts = nodes.requireOutput("receipts") as pulumi.Output<Record<string, JoinReceipt>>;

/** The API server that the nodes belong to. */
export const apiServer = nodes.requireOutput("apiServer");
/** Names of the joined nodes. */
export const nodeNames = receipts.apply((all) => Object.keys(all).sort());
/** Duration of each join, by node: milliseconds, measured on the worker. */
export const joinMilliseconds = receipts.apply((all) =>
  Object.fromEntries(Object.entries(all).map(([name, receipt]) => [name, receipt.ms.total])),
);
/** By scale group: a kubeconfig with the bootstrap token, for machines that tls-bootstrap does not manage. A secret. */
export const bootstrapKubeconfigs = nodes.requireOutput("bootstrapKubeconfigs");
