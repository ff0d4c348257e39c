import * as pulumi from "@pulumi/pulumi";
import { PrivateKey } from "@pulumi/tls";
import { stringify } from "yaml";

/**
 * The SSH host key of a VM that the same program makes. So `hostKey` of the worker is known before the VM boots.
 *
 * The private key is in the state, encrypted, and in the user data of the VM. docs/vms.md says what a pod that reads the user data could do
 * with it.
 */
export class HostKey extends pulumi.ComponentResource {
  /** For `hostKey` of the worker. */
  readonly publicKey: pulumi.Output<string>;
  /**
   * Secret: user data with which cloud-init installs the key as the only host key, before sshd starts. It ends with a newline, so you can
   * append other keys of a cloud-config.
   */
  readonly cloudInit: pulumi.Output<string>;

  constructor(name: string, opts?: pulumi.ComponentResourceOptions) {
    super("tls-bootstrap:index:HostKey", name, {}, opts);
    const key = new PrivateKey(name, { algorithm: "ED25519" }, { parent: this });
    this.publicKey = key.publicKeyOpenssh.apply((line) => line.trim());
    this.cloudInit = pulumi.secret(
      pulumi
        .all([key.privateKeyOpenssh, this.publicKey])
        .apply(([privateKey, publicKey]) => renderCloudConfig(privateKey, publicKey)),
    );
    this.registerOutputs({ publicKey: this.publicKey });
  }
}

/**
 * Without `ssh_deletekeys`, host keys that are in the image would stay, and all VMs of the image would have them.
 * @see https://cloudinit.readthedocs.io/en/latest/reference/modules.html#ssh
 */
function renderCloudConfig(privateKey: string, publicKey: string): string {
  const config = { ssh_deletekeys: true, ssh_keys: { ed25519_private: privateKey, ed25519_public: publicKey } };
  return `#cloud-config\n${stringify(config, { lineWidth: 0 })}`;
}
