import type { ProviderPlugin } from "./provider";

/**
 * The entry of every stand-in plugin. The CLI starts an executable that runs one of
 *
 *     pluginMain.ts resource <name> [flags] <engine address>
 *     pluginMain.ts language nodejs [flags] <engine address>
 *
 * Each plugin loads what it needs itself.
 */
const packages: Readonly<Record<string, () => Promise<ProviderPlugin>>> = {
  command: async () => (await import("./command/commandPlugin.js")).commandPlugin,
  kubernetes: async () => (await import("./kubernetes/kubernetesPlugin.js")).kubernetesPlugin,
  random: async () => (await import("./randomPlugin.js")).randomPlugin,
  tls: async () => (await import("./tls/tlsPlugin.js")).tlsPlugin,
};

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

async function serve(kind: string, name: string, engineAddress: string): Promise<{ port: number }> {
  if (kind === "language") return (await import("./language/languageHost.js")).serveLanguage(engineAddress);
  if (!Object.hasOwn(packages, name)) throw new Error(`no stand-in for ${kind} ${name}`);
  const { serveResources } = await import("./server.js");
  return serveResources(await packages[name](), engineAddress);
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
