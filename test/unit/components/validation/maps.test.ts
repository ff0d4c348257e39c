import { merge } from "../../../../components/validation/maps";

describe("merge", () => {
  it("merges maps and replaces lists", () =>
    expect(merge({ a: { b: 1, c: [1, 2] }, d: 1 }, { a: { c: [3] }, d: { e: 1 } })).toEqual({
      a: { b: 1, c: [3] },
      d: { e: 1 },
    }));
  it("does not change its arguments", () => {
    const under = { a: { b: 1 } };
    merge(under, { a: { b: 2 } });
    expect(under).toEqual({ a: { b: 1 } });
  });
});
