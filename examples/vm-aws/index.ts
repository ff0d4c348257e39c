import { Instance } from "@pulumi/aws/ec2";
import * as pulumi from "@pulumi/pulumi";
import { HostKey } from "../../components";
import { joinVms, names, userDataOf } from "../joinVms";

const config = new pulumi.Config();

const workers = names.map((name) => {
  const hostKey = new HostKey(`${name}-host-key`);
  const vm = new Instance(name, {
    ami: config.require("image"),
    instanceType: "t3.medium",
    subnetId: config.require("subnet"),
    vpcSecurityGroupIds: [config.require("securityGroup")],
    userData: userDataOf(hostKey),
    userDataReplaceOnChange: true,
    // Pods cannot read the user data: an answer does not survive a second hop.
    metadataOptions: { httpEndpoint: "enabled", httpTokens: "required", httpPutResponseHopLimit: 1 },
    tags: { Name: name },
  });
  return { name, address: vm.privateIp, hostKey: hostKey.publicKey, machine: vm.id };
});

/** Receipts by node name: the proof that each VM joined. */
export const receipts = joinVms(workers, "admin").receipts;
