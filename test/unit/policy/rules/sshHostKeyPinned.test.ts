import { sshHostKeyPinned } from "../../../../policy/rules/sshHostKeyPinned";
import { UNKNOWN } from "../../../protocolValues";
import { ED25519 } from "../../fixtures";
import { findPlaces, resourceOf } from "./judging";

describe("ssh-host-key-pinned", () => {
  const pinned = { host: "10.0.1.11", hostKey: ED25519 };
  const open = { host: "10.0.1.11" };
  it.each<[string, unknown, string[]]>([
    ["a pinned host", pinned, []],
    ["a pinned host behind a pinned bastion", { ...pinned, proxy: pinned }, []],
    ["a host key that is known after the update", { ...pinned, hostKey: UNKNOWN, proxy: { hostKey: UNKNOWN } }, []],
    ["no host key", open, ["connection.hostKey"]],
    ["an empty host key", { ...open, hostKey: "" }, ["connection.hostKey"]],
    ["no key of the bastion", { ...pinned, proxy: open }, ["connection.proxy.hostKey"]],
    ["no key of either", { ...open, proxy: open }, ["connection.hostKey", "connection.proxy.hostKey"]],
    ["an unknown bastion", { ...open, proxy: UNKNOWN }, ["connection.hostKey", "undecided"]],
    ["an unknown connection", UNKNOWN, ["undecided"]],
    ["no connection", undefined, ["connection.hostKey"]],
  ])("judges %s", (_, connection, expected) => {
    for (const type of ["Command", "CopyToRemote", "CopyFile"])
      expect(findPlaces(() => sshHostKeyPinned(resourceOf(`command:remote:${type}`, { connection })))).toEqual(
        expected,
      );
    expect(findPlaces(() => sshHostKeyPinned(resourceOf("command:local:Command", { connection })))).toEqual([]);
  });
});
