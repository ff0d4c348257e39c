import type { ProviderPlugin } from "./provider";

/**
 * Entry point of all stand-in plugins. The CLI starts an executable that runs one of
 *
 *     pluginMain.ts resource <name> [flags] <engine address>
 *     pluginMain.ts language nodejs [flags] <engine address>
 *
 * The imports are dynamic, so that a plugin loads only its own code.
 */
const packages: Readonly<Record<string, () => Promise<ProviderPlugin>>> = {
  command: async () => (await import("./command/commandPlugin.js")).commandPlugin,
  kubernetes: async () => (await import("./kubernetes/kubernetesPlugin.js")).kubernetesPlugin,
  random: async () => (await import("./randomPlugin.js")).randomPlugin,
  tls: async () => (await import("./tls/tlsPlugin.js")).tlsPlugin,
};

const PARENT_CHECK_MS = 1000;

/** Ends this process at SIGINT, which the CLI sends, and when the parent process changes, because a killed CLI sends nothing. */
function endWithParent(): void {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid !== parent) process.exit(0);
  }, PARENT_CHECK_MS);
  timer.unref();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(0));
}

async function serve(kind: string, name: string, engineAddress: string): Promise<{ port: number }> {
  if (kind === "language") return (await import("./language/languageHost.js")).serveLanguage(engineAddress);
  if (!Object.hasOwn(packages, name)) {
    throw new Error(`there is no stand-in for ${kind} ${name}; there are ${Object.keys(packages).join(", ")}`);
  }
  const { serveResources } = await import("./server.js");
  return serveResources(await packages[name](), engineAddress);
}

async function main([kind = "", name = "", ...args]: string[]): Promise<void> {
  endWithParent();
  const { port } = await serve(kind, name, args.at(-1) ?? "");
  // The CLI reads the port from the first line.
  process.stdout.write(`${port}\n`);
}

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
