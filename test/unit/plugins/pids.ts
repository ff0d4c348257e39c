export const isRunning = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

/** Waits up to ten seconds for the end of a process. */
export async function expectEnd(pid: number): Promise<void> {
  for (let i = 0; i < 500 && isRunning(pid); i++) await new Promise((resume) => setTimeout(resume, 20));
  expect(isRunning(pid)).toBe(false);
}
