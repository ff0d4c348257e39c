import { canonicalNodeAddress, nodeAddressProblem } from "../../../../components/validation/addresses";

it.each(["10.0.1.11", "fd00::11", "10.0.1.11,fd00::11", "fd00::11,10.0.1.11"])("takes %s", (value) =>
  expect(nodeAddressProblem(value)).toBeUndefined(),
);

it.each([
  ["worker-1", "is not an IP address"],
  ["10.0.1.11, fd00::11", "is not an IP address"],
  ["10.0.1.11,10.0.1.12", "has two addresses of one family"],
  ["10.0.1.11,fd00::11,fd00::12", "has two addresses of one family"],
])("refuses %s", (value, problem) => expect(nodeAddressProblem(value)).toBe(problem));

it("writes addresses as Go does", () =>
  expect(canonicalNodeAddress("10.0.1.11,FD00:0:0:0:0:0:0:0011")).toBe("10.0.1.11,fd00::11"));
