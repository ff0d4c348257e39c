import { parseStat, runningPid } from "../../../lab/host/pidFile";

const BOOT = "b9a7e0a2-5a8f-4a54-8a0e-8d3a0d9f6f11";

/** /proc/<pid>/stat of a process with a misleading name. */
const stat = (state: string, startTime: number, threads = 1): string =>
  `4242 (a) S (b) ${state} ${Array.from({ length: 16 }, (_, index) => index).join(" ")} ${threads} 0 ${startTime} 1 2 3\n`;

const machine = (files: Record<string, string>) => (file: string) => files[file];

test("reads state, threads and start time behind the last bracket", () => {
  expect(parseStat(stat("S", 99887, 7))).toEqual({ state: "S", threads: 7, startTime: "99887" });
  expect(parseStat("")).toBeUndefined();
  expect(parseStat("4242 (short) S 1 2")).toBeUndefined();
});

describe("runningPid", () => {
  const alive = { "/proc/4242/stat": stat("S", 99887), "/proc/sys/kernel/random/boot_id": `${BOOT}\n` };
  const recorded = `4242 99887 ${BOOT}\n`;

  test.each([
    ["returns the pid of a process that runs", alive, true],
    ["ignores a zombie", { ...alive, "/proc/4242/stat": stat("Z", 99887) }, false],
    [
      "returns the pid of a zombie whose threads are still ending",
      { ...alive, "/proc/4242/stat": stat("Z", 99887, 2) },
      true,
    ],
    ["ignores another process with the same pid", { ...alive, "/proc/4242/stat": stat("S", 99888) }, false],
    [
      "ignores a process of another boot",
      { ...alive, "/proc/sys/kernel/random/boot_id": BOOT.replace("b", "c") },
      false,
    ],
    ["ignores a process that is gone", { "/proc/sys/kernel/random/boot_id": BOOT }, false],
  ])("%s", (_, files, running) => {
    expect(runningPid("/p", machine({ ...files, "/p": recorded }))).toBe(running ? 4242 : undefined);
  });

  test.each(["", "4242", "4242 99887", `0 99887 ${BOOT}`, `-1 99887 ${BOOT}`, `${recorded.trim()} x`, `x 1 ${BOOT}`])(
    "ignores a pid file with %j",
    (text) => {
      expect(runningPid("/p", machine({ ...alive, "/p": text }))).toBeUndefined();
    },
  );

  test("returns nothing without a pid file", () => {
    expect(runningPid("/p", machine(alive))).toBeUndefined();
  });
});
