import { parseStat, runningPid } from "../../../lab/host/pidFile";

const BOOT = "b9a7e0a2-5a8f-4a54-8a0e-8d3a0d9f6f11";

/** /proc/<pid>/stat of a process, with a name that tries to mislead. */
const stat = (state: string, startTime: number): string =>
  `4242 (a) S (b) ${state} ${Array.from({ length: 18 }, (_, index) => index).join(" ")} ${startTime} 1 2 3\n`;

const machine = (files: Record<string, string>) => (file: string) => files[file];

test("state and start time follow the last bracket", () => {
  expect(parseStat(stat("S", 99887))).toEqual({ state: "S", startTime: "99887" });
  expect(parseStat("")).toBeUndefined();
  expect(parseStat("4242 (short) S 1 2")).toBeUndefined();
});

describe("a process", () => {
  const alive = { "/proc/4242/stat": stat("S", 99887), "/proc/sys/kernel/random/boot_id": `${BOOT}\n` };
  const recorded = `4242 99887 ${BOOT}\n`;

  test.each([
    ["runs", alive, true],
    ["is a zombie", { ...alive, "/proc/4242/stat": stat("Z", 99887) }, false],
    ["is another one with the same pid", { ...alive, "/proc/4242/stat": stat("S", 99888) }, false],
    ["is of another boot", { ...alive, "/proc/sys/kernel/random/boot_id": BOOT.replace("b", "c") }, false],
    ["is gone", { "/proc/sys/kernel/random/boot_id": BOOT }, false],
  ])("that %s", (_, files, running) => {
    expect(runningPid("/p", machine({ ...files, "/p": recorded }))).toBe(running ? 4242 : undefined);
  });

  test.each(["", "4242", "4242 99887", `0 99887 ${BOOT}`, `-1 99887 ${BOOT}`, `${recorded.trim()} x`, `x 1 ${BOOT}`])(
    "that %j does not name does not run",
    (text) => {
      expect(runningPid("/p", machine({ ...alive, "/p": text }))).toBeUndefined();
    },
  );

  test("without a pid file does not run", () => {
    expect(runningPid("/p", machine(alive))).toBeUndefined();
  });
});
