import { changes, TestLab } from "../testLab";
import { PoolSettings } from "../poolSettings";

/** A join that the cluster refuses: the error names the binding or the policy. Each test builds on the tests before it. */
const lab = new TestLab();
const { remember, configure, bind } = new PoolSettings(lab);
jest.setTimeout(600_000);

beforeAll(async () => {
  await remember();
  await configure({ "worker-1": {} });
  await lab.operate("deploy");
});

afterAll(() => lab.run("destroy"));

describe("an error names a missing or wrong ClusterRoleBinding", () => {
  let generation = 1;
  const join = () => configure({ "worker-1": {}, "worker-2": { generation: ++generation } });

  it.each([
    [
      "create-csrs",
      "system:bootstrappers:tls-bootstrap-lab:worker",
      "may not request certificates",
      "system:node-bootstrapper",
    ],
    [
      "approve-first-certificates",
      "system:bootstrappers:tls-bootstrap-lab:worker",
      "would not be approved",
      "system:certificates.k8s.io:certificatesigningrequests:nodeclient",
    ],
    [
      "approve-renewals",
      "system:nodes",
      "worker-2 has joined, but its certificate would not be renewed",
      "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient",
    ],
  ])("%s", async (name, subject, problem, role) => {
    await bind(name, "system:somebody-else");
    await join();
    const errors = await lab.fails("deploy");
    expect(errors).toContain(problem);
    expect(errors).toContain(`no ClusterRoleBinding in force binds ClusterRole ${role} to`);
    await bind(name, subject);
    await lab.operate("deploy");
    expect(await lab.isReady("worker-2")).toBe(true);
    expect(changes(await lab.operate("preview"))).toEqual([]);
  });
});

it("a join that the policy refuses reports the API server's message", async () => {
  const policy = ["validatingadmissionpolicy", "tls-bootstrap-lab-names"];
  const { variables } = (await lab.get<any>(...policy)).spec;
  const listed = variables.findIndex(({ name }: { name: string }) => name === "listed0");
  const names = (expression: string) =>
    lab.kubectl(
      "patch",
      ...policy,
      "--type=json",
      "-p",
      JSON.stringify([{ op: "replace", path: `/spec/variables/${listed}/expression`, value: expression }]),
    );
  await names('{"nobody": "worker"}');
  await configure({ "worker-1": {}, "worker-2": { generation: 9 } });
  const errors = await lab.fails("deploy");
  expect(errors).toContain("the API server does not let worker-2 request a certificate: ");
  expect(errors).toContain("asks for node 'worker-2': a token of worker may ask for its nodes only");
  await names(variables[listed].expression);
  await lab.operate("deploy");
  expect(await lab.isReady("worker-2")).toBe(true);
});
