import { join } from "node:path";
import { local } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { HostKey } from "../../components";
import { joinVms, names, userDataOf } from "../joinVms";

const image = new pulumi.Config().require("image");
const script = join(__dirname, "vm.sh");

const workers = names.map((name) => {
  const hostKey = new HostKey(`${name}-host-key`);
  const userData = userDataOf(hostKey);
  const vm = new local.Command(
    name,
    {
      create: `"${script}" create "$NAME" "$IMAGE"`,
      delete: `"${script}" delete "$NAME"`,
      environment: { NAME: name, IMAGE: image },
      stdin: userData,
      triggers: [image, userData],
      addPreviousOutputInEnv: false,
    },
    { deleteBeforeReplace: true }, // names of VMs are unique
  );
  const made = vm.stdout.apply((text) => JSON.parse(text) as { id: string; address: string });
  return { name, address: made.address, hostKey: hostKey.publicKey, machine: made.id };
});

/** Receipts by node name: the proof that each VM joined. */
export const receipts = joinVms(workers, "debian").receipts;
