import { Server } from "@pulumi/hcloud";
import * as pulumi from "@pulumi/pulumi";
import { HostKey } from "../../components";
import { joinVms, names, userDataOf } from "../joinVms";

const config = new pulumi.Config();

const workers = names.map((name) => {
  const hostKey = new HostKey(`${name}-host-key`);
  const vm = new Server(
    name,
    {
      name,
      image: config.require("image"),
      location: config.require("location"),
      serverType: "cx32",
      userData: userDataOf(hostKey),
    },
    { deleteBeforeReplace: true }, // names of servers are unique
  );
  return { name, address: vm.ipv4Address, hostKey: hostKey.publicKey, machine: vm.id };
});

/** Receipts by node name: the proof that each VM joined. */
export const receipts = joinVms(workers, "root").receipts;
