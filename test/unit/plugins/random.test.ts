import { randomPlugin } from "../../../lab/plugins/randomPlugin";
import { type Plugin } from "../../pluginClient";
import { isSecret, UNKNOWN } from "../../protocolValues";
import { ServedPlugin } from "./servedPlugin";

const string = { type: "random:index/randomString:RandomString" };
const password = { type: "random:index/randomPassword:RandomPassword" };

let served: ServedPlugin;
let plugin: Plugin;
beforeAll(async () => ({ plugin } = served = await ServedPlugin.start(randomPlugin)));
afterAll(() => served.stop());

test("a string has the requested length and characters", async () => {
  const { id, outputs } = await plugin.make(string, { length: 200, special: false, upper: false });
  expect(id).toBe(outputs.result);
  expect(outputs.result).toMatch(/^[a-z0-9]{200}$/);
});

test("a password is secret, and its id does not reveal it", async () => {
  const { id, outputs } = await plugin.make(password, { length: 16, lower: false, numeric: false });
  expect(id).toBe("none");
  expect(isSecret(outputs.result)).toBe(true);
  expect(outputs.result.value).toMatch(/^[^a-z0-9]{16}$/);
});

test("a preview does not know the value", async () => {
  const { id, outputs } = await plugin.make(string, { length: 6 }, { preview: true });
  expect({ id, ...outputs }).toMatchObject({ id: "", length: 6, result: UNKNOWN });
});

test("a changed keeper replaces, an explicit default does not", async () => {
  const made = await plugin.make(string, { length: 6, keepers: { a: "1" } });
  const replaced = { changes: true, detailed: { keepers: "update-replace" }, replaces: ["keepers"] };
  expect(await plugin.diff(string, made, { length: 6, keepers: { a: "2" } })).toMatchObject(replaced);
  expect(await plugin.diff(string, made, { length: 6, keepers: { a: UNKNOWN } })).toMatchObject(replaced);
  expect((await plugin.diff(string, made, { length: 6, keepers: { a: "1" }, lower: true })).changes).toBe(false);
});

test("a read returns the state, and an import is refused", async () => {
  const made = await plugin.make(string, { length: 6 });
  expect(await plugin.read(string, made)).toEqual(made);
  await expect(plugin.read(string, { id: "x", inputs: {}, outputs: {} })).rejects.toThrow("cannot import a random:");
});

test.each([
  [{}, "length: Invalid input"],
  [{ length: 0 }, "length: Too small"],
  [{ length: 3, minLower: 4 }, "minLower: Invalid input: expected 0"],
  [{ length: 3, overrideSpecial: "%" }, 'Unrecognized key: "overrideSpecial"'],
  [{ length: 3, lower: false, upper: false, numeric: false, special: false }, "at least one of"],
])("%j is refused", async (inputs, message) => {
  await expect(plugin.make(string, inputs)).rejects.toThrow(message);
});
