import { fleet, report } from "./fleetSettings";

describe("the size of the stack's config", () => {
  const pools = [{ name: "a", workers: fleet(1) }];

  it("is refused before it reaches the limit of Linux, and the error says what to do", () =>
    expect(report(pools, {}, 120_001)).toEqual([
      "tls-bootstrap:pools: the stack's config takes 120001 bytes; above 131072 Linux does not start the program. Move workers into a file: pools[].workersFile",
    ]));

  it("is accepted below that", () => expect(report(pools, {}, 120_000)).toEqual([]));

  it("is reported together with other problems", () =>
    expect(report(pools, { tokenTtl: "x" }, 130_000)).toHaveLength(2));
});
