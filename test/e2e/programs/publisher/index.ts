import { readFileSync } from "node:fs";
import { Provider } from "@pulumi/kubernetes/provider";
import * as pulumi from "@pulumi/pulumi";
import { ClusterInfo } from "../../../../components";

const config = new pulumi.Config();
const info = new ClusterInfo(
  pulumi.getStack(),
  { cluster: { server: config.require("server"), ca: config.require("ca") } },
  {
    provider: new Provider("cluster", {
      kubeconfig: pulumi.secret(readFileSync(config.require("kubeconfig"), "utf8")),
    }),
  },
);

export const published = info.kubeconfig;
