import * as pulumi from "@pulumi/pulumi";

// A real platform stack makes a control plane and its PKI; this one is told of one that exists.
const config = new pulumi.Config();

/** URL of the API server, as the workers reach it. */
export const server = config.require("server");
/** PEM certificate of the CA that signed the API server's certificate. */
export const ca = config.require("ca");
/** Kubeconfig that may declare the bootstrap objects. */
export const kubeconfig = config.requireSecret("kubeconfig");
