import { ClusterInfo } from "../../../../components/cluster/clusterInfo";
import { NodeBootstrapRbac } from "../../../../components/cluster/nodeBootstrapRbac";
import { endpointOf, renderKubeconfig } from "../../../../components/cluster/kubeconfig";
import { CA } from "../../fixtures";
import { Program, valueOf } from "../program";

const BINDING = "kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding";
const group = (name: string) => ({ apiGroup: "rbac.authorization.k8s.io", kind: "Group", name });
const clusterRole = (name: string) => ({ apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name });

describe("NodeBootstrapRbac", () => {
  it("binds the three roles of TLS bootstrapping", async () => {
    const program = new Program();
    await program.run(
      (opts) => new NodeBootstrapRbac("r", { groups: ["system:bootstrappers:a", "system:bootstrappers:b"] }, opts),
    );
    const bindings = program.resources.filter(({ type }) => type === BINDING);
    const bootstrappers = [group("system:bootstrappers:a"), group("system:bootstrappers:b")];
    expect(Object.fromEntries(bindings.map(({ name, inputs }) => [name, inputs]))).toEqual({
      "r-create-csrs": expect.objectContaining({
        metadata: { name: "r:create-csrs" },
        roleRef: clusterRole("system:node-bootstrapper"),
        subjects: bootstrappers,
      }),
      "r-approve-first-certificates": expect.objectContaining({
        metadata: { name: "r:approve-first-certificates" },
        roleRef: clusterRole("system:certificates.k8s.io:certificatesigningrequests:nodeclient"),
        subjects: bootstrappers,
      }),
      "r-approve-renewals": expect.objectContaining({
        metadata: { name: "r:approve-renewals" },
        roleRef: clusterRole("system:certificates.k8s.io:certificatesigningrequests:selfnodeclient"),
        subjects: [group("system:nodes")],
      }),
    });
  });
});

describe("ClusterInfo", () => {
  const RBAC = "rbac.authorization.k8s.io";
  const PATCH = "kubernetes:core/v1:ConfigMapPatch";
  const OURS = renderKubeconfig({ server: "https://10.0.0.1:6443", ca: CA });
  const identity = { namespace: "kube-public", name: "cluster-info" };

  /** What the API server notes about who has set the document. */
  const managedFields = [
    { manager: "m", operation: "Update", fieldsV1: { "f:data": { ".": {}, "f:kubeconfig": {} } } },
  ];
  const signed = [{ manager: "m", operation: "Update", fieldsV1: { "f:data": { "f:jws-kubeconfig-abc123": {} } } }];

  /** @param found metadata and data of the cluster-info that the cluster has. */
  async function declare(found: { metadata?: object; data?: object } = {}) {
    const program = new Program({
      [PATCH]: (name, { metadata }) =>
        name === "i-existing" ? { ...found, metadata: { ...metadata, ...found.metadata } } : {},
      [`kubernetes:${RBAC}/v1:Role`]: (_, { metadata }) => ({ metadata: { ...metadata, uid: "uid-of-the-role" } }),
    });
    const info = await program.run(
      (opts) => new ClusterInfo("i", { cluster: { server: "https://10.0.0.1:6443", ca: CA } }, opts),
    );
    return { program, kubeconfig: await valueOf(info.kubeconfig) };
  }

  const document = (program: Program) => {
    const { metadata, data } = program.find(PATCH, "i").inputs;
    return { metadata, data };
  };
  const owner = {
    apiVersion: `${RBAC}/v1`,
    kind: "Role",
    name: "i:read",
    uid: "uid-of-the-role",
    blockOwnerDeletion: true,
  };
  const published = {
    metadata: { ...identity, annotations: { "pulumi.com/patchForce": "true" }, ownerReferences: [owner] },
    data: { kubeconfig: OURS },
  };

  it("publishes server and CA in a ConfigMap that anybody may get", async () => {
    const { program, kubeconfig } = await declare();
    expect(document(program)).toEqual(published);
    expect(kubeconfig).toBe(OURS);

    const role = program.find(`kubernetes:${RBAC}/v1:Role`, "i-read").inputs;
    expect(role.metadata).toEqual({ namespace: "kube-public", name: "i:read" });
    expect(role.rules).toEqual([
      { apiGroups: [""], resources: ["configmaps"], resourceNames: ["cluster-info"], verbs: ["get"] },
    ]);
    const binding = program.find(`kubernetes:${RBAC}/v1:RoleBinding`, "i-read-anonymously").inputs;
    expect(binding.metadata.namespace).toBe("kube-public");
    expect(binding.roleRef).toEqual({ apiGroup: RBAC, kind: "Role", name: "i:read" });
    expect(binding.subjects).toEqual([{ apiGroup: RBAC, kind: "User", name: "system:anonymous" }]);
  });

  it("reads the existing document without setting a field, and a removal deletes neither patch", async () => {
    const { program } = await declare();
    const { metadata, data } = program.find(PATCH, "i-existing").inputs;
    expect({ metadata, data }).toEqual({ metadata: identity, data: undefined });
    for (const name of ["i-existing", "i"]) expect(program.optionsOf(PATCH, name).retainOnDelete).toBe(true);
  });

  it("keeps and outputs the document of another installer", async () => {
    const { program, kubeconfig } = await declare({ metadata: { managedFields }, data: { kubeconfig: "theirs" } });
    expect(document(program)).toEqual({ metadata: identity, data: undefined });
    expect(kubeconfig).toBe("theirs");
  });

  it.each([
    [
      "a ConfigMap without a document",
      { metadata: { managedFields: signed }, data: { "jws-kubeconfig-abc123": "a..b" } },
    ],
    [
      "the ConfigMap of another stack",
      { metadata: { managedFields, ownerReferences: [owner] }, data: { kubeconfig: "of another stack" } },
    ],
  ])("publishes in %s", async (_, found) => {
    const { program, kubeconfig } = await declare(found);
    expect(document(program)).toEqual(published);
    expect(kubeconfig).toBe(OURS);
  });
});

describe("renderKubeconfig", () => {
  const cluster = { server: "https://10.0.0.1:6443", ca: "CA\n" };

  it("without a user renders the document of cluster-info", () =>
    expect(renderKubeconfig(cluster)).toBe(`apiVersion: v1
kind: Config
clusters:
  - name: ""
    cluster:
      server: https://10.0.0.1:6443
      certificate-authority-data: Q0EK
users: []
contexts: []
current-context: ""
`));

  it("with a token renders the kubeconfig with which a kubelet bootstraps", () =>
    expect(renderKubeconfig(cluster, "kubelet-bootstrap", { token: "abc123.0123456789abcdef" })).toBe(`apiVersion: v1
kind: Config
clusters:
  - name: kubernetes
    cluster:
      server: https://10.0.0.1:6443
      certificate-authority-data: Q0EK
users:
  - name: kubelet-bootstrap
    user:
      token: abc123.0123456789abcdef
contexts:
  - name: kubelet-bootstrap@kubernetes
    context:
      cluster: kubernetes
      user: kubelet-bootstrap
current-context: kubelet-bootstrap@kubernetes
`));

  it("with a certificate can be read back", () => {
    const text = renderKubeconfig(cluster, "admin", { clientCertificate: "CERT", clientKey: "KEY" });
    expect(text).toContain("client-certificate-data: Q0VSVA==");
    expect(text).toContain("client-key-data: S0VZ");
    expect(endpointOf(text)).toEqual(cluster);
  });
});

describe("endpointOf", () => {
  it.each([
    ["text", "has no current context"],
    ["{", "is not YAML"],
    ["{current-context: a, contexts: [{name: b, context: {cluster: c}}]}", "has no current context"],
    ["{current-context: a, contexts: [{name: a, context: {cluster: c}}]}", "names no server"],
    [
      "{current-context: a, contexts: [{name: a, context: {cluster: c}}], clusters: [{name: c, cluster: {server: s}}]}",
      "embeds no CA",
    ],
  ])("names what is missing in %s", (text, message) => expect(() => endpointOf(text)).toThrow(message));
});
