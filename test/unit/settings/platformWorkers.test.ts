import * as pulumi from "@pulumi/pulumi";
import { readClusterAccess } from "../../../settings/readClusterAccess";
import { readSettings } from "../../../settings/settings";
import { CA, SSH_KEY } from "../fixtures";
import { fleet, worker } from "./fleetSettings";
import { KUBECONFIG } from "./goodSettings";

/** Workers that the platform stack exports. */

const PLATFORM = "org/platform/prod";
const POOL = { name: "a", workersFrom: "platform" };
const references: string[] = [];

/** Reads the settings of a stack whose platform stack exports these workers. */
async function read(workers: unknown, pools: unknown = [POOL], change: Record<string, string> = {}) {
  references.length = 0;
  await pulumi.runtime.setMocks(
    {
      call: () => ({}),
      newResource: ({ name }) => {
        references.push(name);
        const outputs = { server: "https://10.0.0.1:6443", ca: CA, kubeconfig: KUBECONFIG, workers };
        return { id: name, state: { name, outputs, secretOutputNames: [] } };
      },
    },
    "t",
  );
  const config = {
    platform: PLATFORM,
    kubernetesVersion: "1.37.2",
    ssh: JSON.stringify({ privateKey: SSH_KEY }),
    pools: JSON.stringify(pools),
    ...change,
  };
  pulumi.runtime.setAllConfig(Object.fromEntries(Object.entries(config).map(([key, value]) => [`t:${key}`, value])));
  return readSettings();
}

const problems = async (...args: Parameters<typeof read>): Promise<string[]> => {
  const message = await read(...args).then(
    () => "",
    (error: Error) => error.message,
  );
  return message
    .split("\n")
    .slice(1)
    .map((line) => line.trim());
};

it("are the workers of the pool, beside those of other pools", async () => {
  const others = { name: "b", workers: [worker(3)] };
  const { bootstrap } = await read({ a: fleet(2) }, [POOL, others]);
  expect(bootstrap).toEqual((await read(undefined, [{ name: "a", workers: fleet(2) }, others])).bootstrap);
});

it("are read by the one reference that a program has to a stack", async () => {
  const settings = await read({ a: fleet(1) });
  await readClusterAccess(settings);
  expect(references).toEqual([PLATFORM]);
});

it("are refused at their place in the output", async () => {
  const list = [worker(1), { ...worker(2), address: worker(1).address }, { ...worker(3), hostKey: "ssh-rsa AAAA" }];
  expect(await problems({ a: list })).toEqual([
    expect.stringMatching(/^output workers of org\/platform\/prod: a\[2\]\.hostKey: 'ssh-rsa AAAA' is an RSA key/),
    "output workers of org/platform/prod: a[1].address: '10.0.0.1' is already the address of output workers of org/platform/prod: a[0].address",
  ]);
});

it.each([
  [
    "the output lacks the pool",
    { b: [] },
    [POOL],
    "output workers of org/platform/prod has no list of workers for this pool",
  ],
  ["there is no output", undefined, [POOL], "output workers of org/platform/prod has no list of workers for this pool"],
  [
    "the pool has workers of its own",
    { a: [] },
    [{ ...POOL, workers: [] }],
    "cannot be given together with 'workers' or 'workersFile'",
  ],
  ["it names something else", { a: [] }, [{ ...POOL, workersFrom: "elsewhere" }], "must be 'platform'"],
])("are refused when %s", async (_, workers, pools, problem) => {
  expect(await problems(workers, pools)).toEqual([`t:pools[0].workersFrom: ${problem}`]);
});

it("need a platform stack", async () => {
  const cluster = JSON.stringify({ server: "https://10.0.0.1:6443", ca: CA, token: "t" });
  expect(await problems({}, [POOL], { platform: undefined as never, cluster })).toEqual([
    "t:pools[0].workersFrom: needs 'platform', the stack that exports them",
  ]);
});
