/** Checks stack files, and prints what was found. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { renderReports } from "./report";
import { checkStackFile } from "./stackFile";

/** Folders of stack files. The samples are a project of their own. */
const STACKS = "stacks";
const SAMPLES = join(STACKS, "examples");
/** No stack of its own: the lab adds the cluster and the workers. */
const LAB = join(STACKS, "Pulumi.lab.yaml");

const isStackFile = (file: string): boolean => /^Pulumi\..+\.ya?ml$/.test(basename(file));

const stackFiles = (): string[] =>
  [STACKS, SAMPLES]
    .flatMap((folder) =>
      readdirSync(folder)
        .sort()
        .map((name) => join(folder, name)),
    )
    .filter((file) => isStackFile(file) && file !== LAB);

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new Error(`${file}: cannot be read: ${(error as Error).message}`, { cause: error });
  }
}

/** The project of a stack file: the nearest Pulumi.yaml in its folder or above, or else that of the working directory. */
function projectOf(file: string): string {
  for (let folder = dirname(resolve(file)); folder !== dirname(folder); folder = dirname(folder)) {
    const project = join(folder, "Pulumi.yaml");
    if (existsSync(project)) return project;
  }
  return "Pulumi.yaml";
}

/**
 * Checks the given files, or else those in stacks/ and stacks/examples. Returns the exit status.
 * @throws Error when a file cannot be read, or is no stack file.
 */
export function checkFiles(given: readonly string[], print: (text: string) => void): number {
  const files = given.length > 0 ? given : stackFiles();
  const other = files.find((file) => !isStackFile(file));
  if (other !== undefined) throw new Error(`${other}: is no stack file; its name must be Pulumi.<stack>.yaml`);
  const reports = files.map((file) =>
    checkStackFile({ file, text: read(file), project: read(projectOf(file)), isSample: file.startsWith(SAMPLES) }),
  );
  print(renderReports(reports));
  return reports.some(({ problems }) => problems.length > 0) ? 1 : 0;
}
