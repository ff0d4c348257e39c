import fc from "fast-check";
import { parseGoDuration } from "../../../../components/validation/goDuration";

describe("parseGoDuration", () => {
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
  ])("reads %s", (text, expected) => expect(parseGoDuration(text)).toBeCloseTo(expected, 9));

  it.each(["", "30", "s", "1 m", "1d", "1m30", "1e3s", ".s", "1h-5m", "2600000h", "1m\n"])("refuses '%s'", (text) =>
    expect(parseGoDuration(text)).toBeUndefined(),
  );

  it("reads any whole number of seconds as Go prints it", () =>
    fc.assert(
      fc.property(fc.nat(10 ** 9), (n) => {
        const [h, m, s] = [Math.floor(n / 3600), Math.floor(n / 60) % 60, n % 60];
        expect(parseGoDuration(`${h}h${m}m${s}s`)).toBe(n);
      }),
    ));
});
