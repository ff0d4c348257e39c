import { Provider } from "@pulumi/kubernetes/provider";
import * as pulumi from "@pulumi/pulumi";
import { JoinPolicy, ServingPolicy } from "../../components";

const config = new pulumi.Config();
const nodes = config.requireObject<{ name: string; address: string }[]>("nodes");
const scaleGroup = config.getObject<{ namePrefix: string; tokenGroup: string }>("scaleGroup");
const opts = { provider: new Provider("cluster", { kubeconfig: config.requireSecret("kubeconfig") }) };

const claims = [{ name: "nodes", group: config.require("tokenGroup"), nodes: nodes.map(({ name }) => name) }];
const scaled = scaleGroup ? [{ name: "scaled", group: scaleGroup.tokenGroup, namePrefix: scaleGroup.namePrefix }] : [];

/** A bootstrap token may ask for the listed names only, and not while their nodes are Ready. */
new JoinPolicy("request-policies", { claims: [...claims, ...scaled] }, opts);

/** A listed node may ask for a serving certificate with its own name and address only, whoever approves. */
new ServingPolicy("request-policies", { pools: [{ name: "nodes", nodes }], mode: "manual" }, opts);
