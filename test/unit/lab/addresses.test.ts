import {
  controllerNetworkOf,
  MAX_LABS,
  networkOf,
  workerNetworkOf,
  workerNumber,
} from "../../../lab/network/addresses";

test("a lab's network follows from its number", () => {
  expect(networkOf(0)).toEqual({
    bridge: "tlsb0",
    host: "10.89.0.1",
    loopback: "127.89.0.1",
    podNetwork: "10.128.0.0/16",
  });
});

test("a worker's network follows from the lab's number and its own", () => {
  expect(workerNetworkOf(7, 12)).toEqual({
    address: "10.89.7.22",
    podSubnet: "10.135.12.0/24",
    link: "tlsb7w12",
    namespace: "tlsb7-worker-12",
  });
});

test("a controller's network comes after those of all workers", () => {
  expect(controllerNetworkOf(7, 1)).toEqual({
    address: "10.89.7.241",
    podSubnet: "10.135.231.0/24",
    link: "tlsb7w231",
    namespace: "tlsb7-controller-1",
  });
});

test("no two labs share an address or a name, and every link name is short enough for the kernel", () => {
  const seen = new Set<string>();
  for (let lab = 0; lab < MAX_LABS; lab++) {
    const { bridge, host, loopback, podNetwork } = networkOf(lab);
    const workers = [1, 2, 11, 200].map((worker) => workerNetworkOf(lab, worker));
    const controllers = [1, 9].map((controller) => controllerNetworkOf(lab, controller));
    const all = [
      ...[bridge, host, loopback, podNetwork],
      ...[...workers, ...controllers].flatMap(({ address, podSubnet, link, namespace }) => [
        address,
        podSubnet,
        link,
        namespace,
      ]),
    ];
    expect(all.filter((name) => seen.has(name))).toEqual([]);
    all.forEach((name) => seen.add(name));
    expect(`${bridge}w200`.length).toBeLessThanOrEqual(15);
  }
});

test("the prefixes by which a lab removes links and namespaces match no other lab", () => {
  const names = [1, 10, 11].map((lab) => workerNetworkOf(lab, 1));
  const ofLab1 = (name: string): boolean => name.startsWith("tlsb1w") || name.startsWith("tlsb1-");
  expect(names.map(({ link, namespace }) => [ofLab1(link), ofLab1(namespace)])).toEqual([
    [true, true],
    [false, false],
    [false, false],
  ]);
});

test.each([-1, 100, 1.5, NaN])("refuses the lab number %d", (number) => {
  expect(() => networkOf(number)).toThrow(RangeError);
});

test.each([0, 201, 1.5])("refuses the worker number %d", (number) => {
  expect(() => workerNetworkOf(0, number)).toThrow(RangeError);
});

test.each([
  ["worker-1", 1],
  ["worker-20", 20],
  ["worker-0", undefined],
  ["worker-01", undefined],
  ["worker-", undefined],
  ["worker-1000", undefined],
  ["etcd", undefined],
])("the worker number in %s is %s", (name, number) => {
  expect(workerNumber(name)).toBe(number);
});
