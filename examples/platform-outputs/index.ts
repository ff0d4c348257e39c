import * as pulumi from "@pulumi/pulumi";
import { ServingCa } from "../../components";

// A real platform stack declares a control plane and its PKI. Here the config describes a cluster that exists.
const config = new pulumi.Config();

/** The format of these outputs, which README.md describes. */
export const formatVersion = 1;
/** URL of the API server as the workers reach it. */
export const server = config.require("server");
/** PEM certificate of the CA that signed the API server's certificate. */
export const ca = config.require("ca");
/** Kubeconfig of a user who may write the objects that tls-bootstrap declares. A secret. */
export const kubeconfig = config.requireSecret("kubeconfig");
/** Version of the API servers, such as 1.37.2. */
export const kubernetesVersion = config.require("kubernetesVersion");

const servingCa = new ServingCa("kubelet-serving-ca");
/** The CA that signs kubelet serving certificates for all stacks of the cluster. The API server takes one file. Its key is a secret. */
export const kubeletServingCa = { certificate: servingCa.certificate, key: servingCa.key };
