import { Command, InvalidArgumentError, Option } from "commander";
import * as access from "./commands/access";
import { binaries, rewriteModule } from "./commands/binaries";
import { down } from "./commands/down";
import { kubeProxyImage } from "./commands/kubeProxyImage";
import { power, type PowerAction, type PowerOptions } from "./commands/power";
import { outputsOf, pulumi, stackOperation, type StackOptions } from "./commands/stack";
import { renderOutputs, renderReceipts, renderStatus } from "./commands/render";
import { statusOf } from "./commands/status";
import { DEFAULT_WORKERS, up } from "./commands/up";
import { command, checkLabName, DEFAULT_LAB, requireLab } from "./lab";
import type { Operation } from "./pulumi/events";
import { PLUGIN_KINDS, type PluginKind } from "./pulumi/plugins";
import { messageOf } from "./system/errors";

interface GlobalOptions {
  readonly name: string;
  readonly plugins?: PluginKind;
  readonly json?: boolean;
}

const collect = (value: string, before: string[] = []): string[] => [...before, value];

function number(text: string): number {
  if (!/^\d+$/.test(text)) {
    throw new InvalidArgumentError("It must be a whole number.");
  }
  return Number(text);
}

function labName(text: string): string {
  try {
    return checkLabName(text);
  } catch (error) {
    throw new InvalidArgumentError(messageOf(error));
  }
}

/** The flags that every command takes, before or after its name. */
function common(target: Command): Command {
  return target
    .addOption(new Option("--name <lab>", "the lab to work on; several can be up side by side").argParser(labName))
    .addOption(
      new Option("--plugins <kind>", "which plugins Pulumi uses (default: published where the machine has them)")
        .choices(PLUGIN_KINDS)
        .env("TLS_BOOTSTRAP_LAB_PLUGINS"),
    )
    .option("--json", "print the result as JSON; progress goes to standard error");
}

/** Options of the command and of the whole line together. */
function optionsOf<T extends object>(current: Command): T & GlobalOptions {
  return { name: DEFAULT_LAB, ...current.optsWithGlobals<T & Partial<GlobalOptions>>() };
}

/** Ends with this status when nothing else is left to do. */
function endWith(status: number): void {
  process.exitCode = status;
}

async function printStatus(options: GlobalOptions): Promise<void> {
  const status = await statusOf(await requireLab(options.name), options.plugins);
  console.log(options.json ? JSON.stringify(status, null, 2) : renderStatus(status));
}

/** The whole show: a lab, the program's plan, its deployment, and what came of it. */
async function demonstrate(options: GlobalOptions): Promise<void> {
  const begin = Date.now();
  const quiet: StackOptions = { name: options.name, plugins: options.plugins };
  await up(quiet);
  for (const [title, operation] of [["preview", "preview"] as const, ["deploy", "up"] as const]) {
    console.log(`\n${command(options.name, title)}\n`);
    if ((await stackOperation(operation, quiet)) !== 0) {
      return endWith(1);
    }
  }
  console.log(`\n${command(options.name, "status")}\n`);
  await printStatus(options);
  const { receipts } = await outputsOf(quiet);
  console.log(`\nJoin receipts (times in ms):\n\n${renderReceipts(receipts)}`);
  const seconds = Math.round((Date.now() - begin) / 1000);
  console.log(`\nAll of that took ${seconds} s. Look around:`);
  for (const next of ["kubectl get nodes -o wide", "ssh worker-1", "preview", "down"]) {
    console.log(`  ${command(options.name, next)}`);
  }
}

function program(): Command {
  const lab = common(new Command("npm run lab --"))
    .description("A real Kubernetes cluster on this machine, and this repository's program run against it.")
    .addHelpText("after", "\nWithout a command: up, preview, deploy and status, with three workers.")
    .enablePositionalOptions()
    .showHelpAfterError("(see: npm run lab -- --help)")
    .argument("[command]")
    .action(async (name: string | undefined, _options: unknown, self: Command) => {
      if (name !== undefined) {
        self.error(`error: unknown command "${name}"`);
      }
      await demonstrate(optionsOf(self));
    });

  const add = (usage: string, description: string): Command => common(lab.command(usage)).description(description);

  add("up", "start the control plane, the mirror and the workers, or bring them to what they should be")
    .option("--workers <n>", `how many (default: as before, or ${DEFAULT_WORKERS})`, number)
    .option(
      "--bare <n>",
      "how many of them, the last ones, are without a container runtime (as before, or none)",
      number,
    )
    .option("--flag <component=--flag=value>", "a control plane flag, remembered; repeatable", collect)
    .option("--reset-flags", "forget the flags of earlier commands")
    .action(async (_: unknown, self: Command) => {
      const options = optionsOf<{ workers?: number; bare?: number; flag?: string[]; resetFlags?: boolean }>(self);
      await up(options);
      await printStatus(options);
    });

  const operations: readonly (readonly [string, Operation, string])[] = [
    ["preview", "preview", "show what deploying the program would change"],
    ["deploy", "up", "run the program against the lab"],
    ["refresh", "refresh", "take what is really there into the state"],
    ["destroy", "destroy", "remove everything the program made; the lab stays"],
  ];
  for (const [name, operation, description] of operations) {
    stackOptions(add(name, description))
      .option("--diff", "show every property that changes")
      .option("--refresh", "look at what is really there first")
      .option("--expect-no-changes", "fail when there is something to change")
      .option("--replace <urn>", "replace this resource whatever its diff says; * and ** stand for any text", collect)
      .action(async (_: unknown, self: Command) =>
        endWith(await stackOperation(operation, optionsOf<Omit<StackOptions, keyof GlobalOptions>>(self))),
      );
  }

  stackOptions(add("output", "print the program's outputs"))
    .option("--show-secrets", "print secret outputs too")
    .action(async (_: unknown, self: Command) => {
      const options = optionsOf<Omit<StackOptions, keyof GlobalOptions> & { showSecrets?: boolean }>(self);
      const outputs = await outputsOf(options);
      console.log(options.json ? JSON.stringify(outputs, null, 2) : renderOutputs(outputs));
    });

  add("status", "show the parts of the lab and the nodes of its cluster").action(async (_: unknown, self: Command) =>
    printStatus(optionsOf(self)),
  );

  const targets = "a control plane component, mirror or worker-<n>";
  for (const action of ["start", "stop", "restart"] as const satisfies readonly PowerAction[]) {
    const described = { start: "start", stop: "stop", restart: "stop and start again (a worker: reboot)" }[action];
    add(`${action} <part>`, `${described} ${targets}`)
      .option("--kill", "cut a worker's power instead of shutting it down")
      .action(async (part: string, _: unknown, self: Command) => {
        const options = optionsOf<PowerOptions>(self);
        await power(options.name, action, part, options);
      });
  }

  const through = (usage: string, description: string): Command =>
    add(usage, description).passThroughOptions().allowUnknownOption();
  through("ssh <worker> [command...]", "log in to a worker, or run a command there").action(
    async (worker: string, args: string[], _: unknown, self: Command) =>
      endWith(await access.ssh(await requireLab(optionsOf(self).name), worker, args)),
  );
  through("exec <worker> [command...]", "run a command as root inside a worker, without SSH").action(
    async (worker: string, args: string[], _: unknown, self: Command) =>
      endWith(await access.exec(await requireLab(optionsOf(self).name), worker, args)),
  );
  through("kubectl [arguments...]", "kubectl as the cluster's administrator")
    .helpOption(false)
    .action(async (args: string[], _: unknown, self: Command) =>
      endWith(await access.kubectl(await requireLab(optionsOf(self).name), args)),
    );

  stackOptions(through("pulumi [arguments...]", "any command of the Pulumi CLI, with the lab's backend and settings"))
    .helpOption(false)
    .action(async (args: string[], _: unknown, self: Command) =>
      endWith(await pulumi(optionsOf<Omit<StackOptions, keyof GlobalOptions>>(self), args)),
    );

  add("logs <part>", `show the log of ${targets} (its console)`)
    .option("-n, --lines <n>", "how many lines", "100")
    .option("-f, --follow", "go on as lines are added")
    .action(async (part: string, _: unknown, self: Command) => {
      const options = optionsOf<{ lines: string; follow?: boolean }>(self);
      endWith(await access.logs(await requireLab(options.name), part, options));
    });

  add(
    "binaries <name...>",
    "make further Kubernetes binaries, such as kube-proxy or kubeadm, and serve the workers' ones",
  )
    .option("--kubernetes-version <version>", "another version than the lab's")
    .action(async (names: string[], _: unknown, self: Command) => {
      await binaries(names, optionsOf<{ kubernetesVersion?: string }>(self));
    });

  add(
    "kube-proxy-image",
    "make the image of kube-proxy for its DaemonSet, which no registry brings here, and give it to the workers",
  ).action(async (_: unknown, self: Command) => kubeProxyImage(optionsOf(self)));

  lab
    .command("kubernetes-module <version>")
    .description("rewrite lab/kubernetes/go.mod for another Kubernetes version")
    .action(async (version: string) => {
      await rewriteModule(version);
    });

  add("down", "remove the lab with everything it made; the cache of built things stays").action(
    async (_: unknown, self: Command) => down(optionsOf(self)),
  );
  return lab;
}

function stackOptions(target: Command): Command {
  return target
    .option("--program <folder>", "another Pulumi program than the repository's, such as examples/consumer")
    .option("--stack <stack>", "another stack than lab; give it its settings with --config-file")
    .option("--config-file <file>", "another stack settings file than the lab's own");
}

async function main(): Promise<void> {
  try {
    await program().parseAsync();
  } catch (error) {
    const hint = (error as { hint?: unknown }).hint;
    console.error(`\nerror: ${messageOf(error)}${typeof hint === "string" ? `\n${hint}` : ""}`);
    if (process.env.TLS_BOOTSTRAP_LAB_DEBUG) {
      console.error(error);
    }
    process.exitCode = 1;
  }
}

void main();
