/** Command line of `npm run air-gap -- stacks/Pulumi.<stack>.yaml`. Runs on a machine with internet access. */
import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { Command, Option } from "commander";
import { type Architecture, ARCHITECTURES } from "../../components/runtime/releases";
import { makeArchive, downloadsForStack } from "./archive";

const program = new Command("npm run air-gap --")
  .description("Makes the archive for workers without internet access. See docs/air-gap.md.")
  .argument("<stack-file>", "settings file of the stack: stacks/Pulumi.<stack>.yaml")
  .addOption(
    new Option("--architecture <architecture>", "architecture of the workers")
      .choices(ARCHITECTURES)
      .default("amd64" as const),
  )
  .option("--output <file>", "file to write (default: air-gap-<version>-<architecture>.tar)")
  .action(async (stackFile: string, options: { architecture: Architecture; output?: string }) => {
    const wanted = await downloadsForStack(stackFile, options.architecture);
    const versions = new Set(wanted.flatMap(({ path }) => /^v([^/]+)/.exec(path)?.[1] ?? []));
    const output = options.output ?? `air-gap-${[...versions].join("-")}-${options.architecture}.tar`;
    console.error(`Downloading ${wanted.length} files`);
    await makeArchive(wanted, resolve(output), (line) => console.error(`  ${line}`));
    const { size } = await stat(output);
    console.error(
      `Wrote ${output} (${Math.round(size / 2 ** 20)} MiB). Copy it to the machine that runs Pulumi, and set its path in the stack:`,
    );
    console.log(`  tls-bootstrap:airGap: ${output}`);
  });

program.parseAsync().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
