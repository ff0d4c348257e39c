/** Command line of `npm run checksums -- stacks/Pulumi.<stack>.yaml`. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { parse } from "yaml";
import { downloadsOf, kubernetesVersionsOf } from "../../components/downloads/downloads";
import { ARCHITECTURES } from "../../components/runtime/releases";
import { fetchFile, publishedChecksum } from "../../lab/builds/fetchFile";
import { parseDownloadSettings } from "../../settings/settings";

/** The Kubernetes binaries that the pools of a stack need, for all architectures: their paths, sorted. */
async function binariesForStack(stackFile: string): Promise<string[]> {
  const { config } = parse(await readFile(stackFile, "utf8")) as { config?: Record<string, unknown> };
  const { kubernetesVersion, pools, ...settings } = parseDownloadSettings(config ?? {});
  const kubernetesVersions = pools.flatMap((pool) => kubernetesVersionsOf(kubernetesVersion, pool));
  const paths = ARCHITECTURES.flatMap((architecture) =>
    downloadsOf({ ...settings, kubernetesVersions }, architecture).flatMap(({ site, path }) =>
      site === "kubernetes" ? [path] : [],
    ),
  );
  return [...new Set(paths)].sort();
}

/** The checksums that a site publishes, as the text of a file. */
async function checksumsFrom(site: string, paths: readonly string[]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "checksums-"));
  const file = join(folder, "sha256");
  try {
    let text = "";
    for (const path of paths) {
      await fetchFile(`${site}/${path}.sha256`, file);
      const sha256 = publishedChecksum(await readFile(file, "utf8"), path.split("/").at(-1)!);
      if (!sha256) throw new Error(`${site}/${path}.sha256 holds no SHA-256 of ${path}`);
      text += `${sha256}  ${path}\n`;
    }
    return text;
  } finally {
    await rm(folder, { recursive: true });
  }
}

const program = new Command("npm run checksums --")
  .description("Writes the checksums of the Kubernetes binaries of a stack. See docs/hosts.md.")
  .argument("<stack-file>", "settings file of the stack: stacks/Pulumi.<stack>.yaml")
  .option("--from <url>", "site that publishes the checksums", "https://dl.k8s.io")
  .option("--output <file>", "file to write", "stacks/SHA256SUMS")
  .action(async (stackFile: string, { from, output }: { from: string; output: string }) => {
    const paths = await binariesForStack(stackFile);
    await writeFile(output, await checksumsFrom(from.replace(/\/+$/, ""), paths));
    console.error(
      `Wrote the checksums of ${paths.length} files to ${output}. Review and commit it, and set its path in the stack:`,
    );
    console.log(`  tls-bootstrap:checksums: ${output}`);
  });

program.parseAsync().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
