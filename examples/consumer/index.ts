import * as pulumi from "@pulumi/pulumi";
import type { JoinReceipt } from "../../components";

const nodes = new pulumi.StackReference(new pulumi.Config().require("nodes"));
const receipts = nodes.requireOutput("receipts") as pulumi.Output<Record<string, JoinReceipt>>;

/** The API server that the nodes belong to. */
export const apiServer = nodes.requireOutput("apiServer");
/** Names of the nodes that have joined. */
export const nodeNames = receipts.apply((all) => Object.keys(all).sort());
/** How long each join took, in milliseconds on the worker. */
export const joinMilliseconds = receipts.apply((all) =>
  Object.fromEntries(Object.entries(all).map(([name, receipt]) => [name, receipt.ms.total])),
);
/** A kubeconfig with a bootstrap token, for a joiner that this project does not manage; secret. */
export const bootstrapKubeconfigs = nodes.requireOutput("bootstrapKubeconfigs");
