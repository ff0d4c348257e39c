import * as pulumi from "@pulumi/pulumi";
import { parse } from "yaml";
import { CA, ED25519, SSH_KEY } from "../fixtures";
import { COMMAND } from "../components/oneWorker";
import { Program, unboxed } from "../components/program";

/** The examples whose VMs become nodes. Their clouds are mocked. */
const EXAMPLES = [
  {
    example: "vm-aws",
    vm: "aws:ec2/instance:Instance",
    made: { privateIp: "10.0.1.11" },
    user: "admin",
    metadata: { httpTokens: "required", httpPutResponseHopLimit: 1 },
  },
  {
    example: "vm-hetzner",
    vm: "hcloud:index/server:Server",
    made: { ipv4Address: "10.0.1.11" },
    user: "root",
  },
  {
    example: "vm-libvirt",
    vm: "command:local:Command",
    made: { stdout: '{"id":"of-libvirt","address":"10.0.1.11"}\n' },
    id: "of-libvirt",
    userDataOf: ({ stdin }: any) => stdin,
    user: "debian",
  },
];

const KEY = { privateKeyOpenssh: "PRIVATE HALF\n", publicKeyOpenssh: `${ED25519}\n`, privateKeyPem: "PEM" };
const CONFIG = {
  names: JSON.stringify(["vm-1"]),
  server: "https://10.0.0.1:6443",
  ca: CA,
  kubeconfig: "KUBECONFIG",
  kubernetesVersion: "1.37.2",
  sshPublicKey: "ssh-ed25519 LOGIN",
  sshPrivateKey: SSH_KEY,
  image: "debian-12",
  subnet: "subnet-1",
  securityGroup: "sg-1",
  location: "nbg1",
};

describe.each(EXAMPLES)("$example", ({ example, vm, made, user, metadata, ...own }) => {
  const { id = "vm-1-id", userDataOf = ({ userData }: any) => userData } = own;
  const program = new Program({
    [vm]: () => made,
    "tls:index/privateKey:PrivateKey": () => KEY,
    "pulumi:providers:kubernetes": () => ({}),
  });

  beforeAll(async () => {
    // The project of the mocks is named t.
    pulumi.runtime.setAllConfig(Object.fromEntries(Object.entries(CONFIG).map(([key, value]) => [`t:${key}`, value])));
    await program.run(() => jest.requireActual<object>(`../../../examples/${example}`));
  });

  it("gives a VM its host key and the key of the login, by a secret", () => {
    const userData = parse(unboxed(userDataOf(program.find(vm, "vm-1").inputs)) as string);
    expect(userData).toEqual({
      ssh_deletekeys: true,
      ssh_keys: { ed25519_private: "PRIVATE HALF\n", ed25519_public: ED25519 },
      ssh_authorized_keys: ["ssh-ed25519 LOGIN"],
    });
  });

  if (metadata)
    it("answers pods no questions about the user data", () => {
      expect(program.find(vm, "vm-1").inputs.metadataOptions).toMatchObject(metadata);
    });

  it("joins the VM at its address, with the host key pinned", () => {
    const { connection, triggers, stdin } = program.find(COMMAND, "vms-vm-1-host").inputs;
    expect(unboxed(connection)).toMatchObject({ host: "10.0.1.11", hostKey: ED25519, user });
    expect(triggers).toEqual([`10.0.1.11 ${ED25519} ${id}`]);
    expect(stdin).toContain("NODE_NAME='vm-1'\n");
  });
});
