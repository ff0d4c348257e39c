import { merge } from "../../../../components/validation/maps";

describe("merge", () => {
  it("goes into maps and takes lists whole", () =>
    expect(merge({ a: { b: 1, c: [1, 2] }, d: 1 }, { a: { c: [3] }, d: { e: 1 } })).toEqual({
      a: { b: 1, c: [3] },
      d: { e: 1 },
    }));
  it("leaves what it merges alone", () => {
    const under = { a: { b: 1 } };
    merge(under, { a: { b: 2 } });
    expect(under).toEqual({ a: { b: 1 } });
  });
});
