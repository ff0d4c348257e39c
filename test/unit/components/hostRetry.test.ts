import { isWorthRetry } from "../../../components/worker/hostRetry";

const MINUTE = 60_000;

/** Errors of command plugin 1.2.1. */
const ERRORS = {
  refused: "after 0 failed attempts: dial tcp 10.0.1.11:22: connect: connection refused",
  silent: "after 0 failed attempts: dial tcp 10.0.1.11:22: i/o timeout",
  noUsersYet: "after 0 failed attempts: ssh: handshake failed: EOF",
  behindBastion: "proxy: after 0 failed attempts: ssh: rejected: connect failed (Connection refused)",
  otherKey: "after 0 failed attempts: ssh: handshake failed: ssh: host key mismatch",
  otherKeyBehindBastion: "proxy: after 0 failed attempts: ssh: handshake failed: ssh: host key mismatch",
  otherKeyType:
    "after 0 failed attempts: ssh: handshake failed: ssh: no common algorithm for host key; we offered: [ecdsa-sha2-nistp256], peer offered: [ssh-ed25519]",
  login:
    "after 0 failed attempts: ssh: handshake failed: ssh: unable to authenticate, attempted methods [none publickey], no supported methods remain",
  script: 'Process exited with status 1: running "exec /bin/sh -s":\nafter 0 failed attempts: dial tcp 10.0.1.11:22: x',
  cut: 'wait: remote command exited without exit status or exit signal: running "exec /bin/sh -s":\n',
};

it.each([ERRORS.refused, ERRORS.silent, ERRORS.noUsersYet, ERRORS.behindBastion])("waits two minutes: %s", (error) => {
  expect(isWorthRetry("worker-1", error, 0)).toBe(true);
  expect(isWorthRetry("worker-1", error, 2 * MINUTE - 1)).toBe(true);
  expect(() => isWorthRetry("worker-1", error, 2 * MINUTE)).toThrow(
    /^worker-1 cannot be reached by SSH \(.*\): check that/,
  );
});

it.each([ERRORS.otherKey, ERRORS.otherKeyBehindBastion, ERRORS.otherKeyType])("reports at once: %s", (error) => {
  expect(() => isWorthRetry("worker-1", error, 0)).toThrow(
    /^worker-1 has another SSH host key than the settings say \(ssh: handshake failed: .*\): find out which machine/,
  );
});

it("reports a login at once", () => {
  expect(() => isWorthRetry("worker-1", ERRORS.login, 0)).toThrow(
    /^worker-1 does not accept the SSH login \(.*unable to authenticate.*\): check ssh\.user/,
  );
});

it.each([ERRORS.script, ERRORS.cut])("leaves alone an error of a command that ran: %s", (error) => {
  expect(isWorthRetry("worker-1", error, 0)).toBe(false);
});
