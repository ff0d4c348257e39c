import { parsePercentage, parseQuantity } from "../../../../components/kubelet/quantities";

describe("parseQuantity", () => {
  it.each([
    ["100Mi", 100 * 2 ** 20],
    ["200m", 0.2],
    ["1e3", 1000],
    ["1E3", 1000],
    ["2E", 2e18],
    ["1.", 1],
    [".5Gi", 2 ** 29],
    ["-1", -1],
  ])("reads %s", (text, expected) => expect(parseQuantity(text)).toBeCloseTo(expected, 9));

  it.each(["", ".", "Mi", "1MB", "1mi", "1 Mi", "1K", "0x10", "1e", "10%"])("refuses '%s'", (text) =>
    expect(parseQuantity(text)).toBeUndefined(),
  );
});

it("reads percentages", () => {
  expect([
    parsePercentage("10%"),
    parsePercentage("2.5%"),
    parsePercentage("10"),
    parsePercentage("%"),
    parsePercentage("-1%"),
  ]).toEqual([10, 2.5, undefined, undefined, undefined]);
});
