/**
 * Checks the settings of stacks without an engine, a cluster or a network: `npm run check:stacks`. Without arguments, checks the stack files in
 * stacks/ and stacks/examples. Prints a table. Exit status: 0 all can be used, 1 some cannot, 2 a file cannot be read.
 */
import { checkFiles } from "./checkFiles";

try {
  process.exitCode = checkFiles(process.argv.slice(2), console.log);
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 2;
}
