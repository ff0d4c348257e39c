import fc from "fast-check";
import { amount, percent, seconds } from "../../../../components/kubelet/text";

describe("seconds", () => {
  it.each([
    ["0", 0],
    ["30s", 30],
    ["1m30s", 90],
    ["1.5h", 5400],
    [".5s", 0.5],
    ["-10s", -10],
    ["100ms", 0.1],
    ["2µs", 2e-6],
    ["2540400h", 2540400 * 3600],
  ])("reads %s", (text, expected) => expect(seconds(text)).toBeCloseTo(expected, 9));

  it.each(["", "30", "s", "1 m", "1d", "1m30", "1e3s", ".s", "1h-5m", "2600000h", "1m\n"])(
    "is no duration: '%s'",
    (text) => expect(seconds(text)).toBeUndefined(),
  );

  it("reads what Go writes of any whole number of seconds", () =>
    fc.assert(
      fc.property(fc.nat(10 ** 9), (n) => {
        const [h, m, s] = [Math.floor(n / 3600), Math.floor(n / 60) % 60, n % 60];
        expect(seconds(`${h}h${m}m${s}s`)).toBe(n);
      }),
    ));
});

describe("amount", () => {
  it.each([
    ["100Mi", 100 * 2 ** 20],
    ["200m", 0.2],
    ["1e3", 1000],
    ["1E3", 1000],
    ["2E", 2e18],
    ["1.", 1],
    [".5Gi", 2 ** 29],
    ["-1", -1],
  ])("reads %s", (text, expected) => expect(amount(text)).toBeCloseTo(expected, 9));

  it.each(["", ".", "Mi", "1MB", "1mi", "1 Mi", "1K", "0x10", "1e", "10%"])("is no quantity: '%s'", (text) =>
    expect(amount(text)).toBeUndefined(),
  );
});

it("reads percentages", () => {
  expect([percent("10%"), percent("2.5%"), percent("10"), percent("%"), percent("-1%")]).toEqual([
    10,
    2.5,
    undefined,
    undefined,
    undefined,
  ]);
});
