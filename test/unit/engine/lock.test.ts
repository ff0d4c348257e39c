import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { lockStack } from "../../../lab/engine/lock";

describe("stack lock", () => {
  let folder: string;
  let file: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "engine-lock-"));
    file = join(folder, "state", "dev.json.lock");
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  test("a second operation is refused with the process that has the lock", () => {
    const unlock = lockStack(file, "up");
    expect(() => lockStack(file, "destroy")).toThrow(
      new RegExp(`^the stack is locked: process ${process.pid} runs 'up' on it since .*; its lock is ${file}$`),
    );
    unlock();
    expect(existsSync(file)).toBe(false);
    lockStack(file, "destroy")();
  });

  test("the lock of a process that is gone is taken over", () => {
    lockStack(file, "up");
    const owner = JSON.parse(readFileSync(file, "utf8")) as object;
    writeFileSync(file, JSON.stringify({ ...owner, pid: 2 ** 22 - 1 }));
    const unlock = lockStack(file, "up");
    expect(JSON.parse(readFileSync(file, "utf8"))).toMatchObject({ pid: process.pid });
    unlock();
  });

  test("the lock of another process that later got the same number is taken over", () => {
    lockStack(file, "up");
    const owner = JSON.parse(readFileSync(file, "utf8")) as object;
    writeFileSync(file, JSON.stringify({ ...owner, started: "1" }));
    lockStack(file, "up")();
    expect(existsSync(file)).toBe(false);
  });

  test("a lock file cut off in the middle is taken over", () => {
    lockStack(file, "up")();
    writeFileSync(file, '{"pid":');
    lockStack(file, "up")();
  });
});
