import { createRequire } from "node:module";
import type { Package } from "./provider";

/**
 * The entry of every stand-in plugin. The CLI starts an executable that runs one of
 *
 *     main.ts resource <name> [flags] <engine address>
 *     main.ts language nodejs [flags] <engine address>
 *
 * A dynamic `import()` of TypeScript needs the loader's ES module hooks, which take 0.1 s to start. `load` does without.
 */
const load = createRequire(__filename);

const resourcePlugins = ["command", "kubernetes", "random", "tls"];

const parentLookMs = 1000;

/** The CLI sends SIGINT to end a plugin. A killed CLI sends nothing, so this looks whether its process is still the parent. */
function endWithParent(): void {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid !== parent) process.exit(0);
  }, parentLookMs);
  timer.unref();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(0));
}

function serve(kind: string, name: string, engineAddress: string): Promise<{ port: number }> {
  if (kind === "language") {
    const { serveLanguage } = load("./language/host") as typeof import("./language/host");
    return serveLanguage(engineAddress);
  }
  if (!resourcePlugins.includes(name)) throw new Error(`no stand-in for ${kind} ${name}`);
  const { serveResources } = load("./server") as typeof import("./server");
  const { [name]: pkg } = load(`./${name}`) as Record<string, Package>;
  return serveResources(pkg, engineAddress);
}

async function main([kind = "", name = "", ...args]: string[]): Promise<void> {
  endWithParent();
  const { port } = await serve(kind, name, args.at(-1) ?? "");
  // The CLI reads the port.
  process.stdout.write(`${port}\n`);
}

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
