import { Argument, Command, InvalidArgumentError, Option } from "commander";
import * as access from "./access";
import { makeBinaries, type BinariesOptions, moveToKubernetesVersion } from "./binariesCommand";
import { down } from "./down";
import { IMAGES, type ImageName, makeImages } from "./imagesCommand";
import { changePower, type PowerOptions } from "./power";
import {
  type OutputOptions,
  stackOutputs,
  runPulumi,
  runWithPulumi,
  runStackOperation,
  runStackStatus,
  type StackOptions,
} from "./stack";
import { runSteps } from "./progress";
import { renderOutputs, renderReceipts, renderStatus } from "./render";
import { statusOf } from "./status";
import { DEFAULT_WORKERS, up, type UpOptions } from "./up";
import { type Override, parseOverride } from "../control-plane/componentFlags";
import { BINARIES, type Binary, isKubernetesVersion } from "../builds/kubernetes/module";
import { checkLabName, labCommand, DEFAULT_LAB, type LabOptions, requireLab } from "../labState";
import { PLUGIN_KINDS } from "../pulumi/plugins";
import { ensureYamlHost } from "../pulumi/yamlHost";
import { LabError } from "../host/labError";

function number(text: string): number {
  if (!/^\d+$/.test(text)) {
    throw new InvalidArgumentError("Give a whole number.");
  }
  return Number(text);
}

function kubernetesVersion(text: string): string {
  if (!isKubernetesVersion(text)) {
    throw new InvalidArgumentError("Give a release such as 1.37.2.");
  }
  return text;
}

/** Adds the options of every command. They may stand before or after the command's name. */
function addCommonOptions(target: Command): Command {
  return target
    .addOption(new Option("--name <lab>", "the lab to use; several labs can run side by side").argParser(checkLabName))
    .addOption(
      new Option("--plugins <kind>", "which plugins Pulumi uses (default: published where the machine has them)")
        .choices(PLUGIN_KINDS)
        .env("TLS_BOOTSTRAP_LAB_PLUGINS"),
    )
    .option("--json", "print the result as JSON; progress goes to standard error");
}

function print<T>({ json }: LabOptions, result: T, render: (result: T) => string): void {
  console.log(json ? JSON.stringify(result, null, 2) : render(result));
}

const printStatus = async (options: LabOptions): Promise<void> =>
  print(options, await statusOf(await requireLab(options.name), options.plugins), renderStatus);

/** Starts a lab, previews and deploys the program, and shows the result. */
async function demonstrate({ name, plugins }: LabOptions): Promise<number> {
  const begin = Date.now();
  const options = { name, plugins };
  await up(options);
  for (const [title, operation] of [["preview", "preview"] as const, ["deploy", "up"] as const]) {
    console.log(`\n${labCommand(name, title)}\n`);
    const status = await runStackOperation(operation, options);
    if (status !== 0) {
      return status;
    }
  }
  console.log(`\n${labCommand(name, "status")}\n`);
  await printStatus(options);
  const { receipts } = await stackOutputs(options);
  console.log(`\nJoin receipts (times in ms):\n\n${renderReceipts(receipts)}`);
  const seconds = Math.round((Date.now() - begin) / 1000);
  console.log(`\nThis took ${seconds} s. Next commands:`);
  for (const next of ["kubectl get nodes -o wide", "ssh worker-1", "preview", "down"]) {
    console.log(`  ${labCommand(name, next)}`);
  }
  return 0;
}

function program(): Command {
  const lab = addCommonOptions(new Command("npm run lab --"))
    .description("Runs a real Kubernetes cluster on this machine, and this repository's program against it.")
    .addHelpText("after", "\nWithout a command: up, preview, deploy and status, with three workers.")
    .enablePositionalOptions()
    .showHelpAfterError("(see: npm run lab -- --help)")
    .argument("[command]");

  /** Runs an action with all options. The action's exit status becomes that of this process. */
  const act = <Options extends LabOptions, Arguments extends unknown[]>(
    target: Command,
    action: (options: Options, ...args: Arguments) => Promise<number | void>,
  ): Command =>
    target.action(async (...given: unknown[]) => {
      const options = { name: DEFAULT_LAB, ...target.optsWithGlobals<Partial<LabOptions>>() } as Options;
      process.exitCode = (await action(options, ...(given.slice(0, -2) as Arguments))) ?? 0;
    });
  const add = <Options extends LabOptions, Arguments extends unknown[]>(
    usage: string,
    description: string,
    action: (options: Options, ...args: Arguments) => Promise<number | void>,
  ): Command => act(addCommonOptions(lab.command(usage)).description(description), action);

  act(lab, async (options: LabOptions, name?: string) =>
    name === undefined ? demonstrate(options) : lab.error(`error: unknown command "${name}"`),
  );

  add(
    "up",
    "start the control plane, the mirror and the workers, or change what runs already",
    async (options: UpOptions) => {
      await up(options);
      await printStatus(options);
    },
  )
    .option("--workers <n>", `how many (default: as before, or ${DEFAULT_WORKERS})`, number)
    .option(
      "--bare <n>",
      "how many of them, counted from the last, have no container runtime (default: as before, or 0)",
      number,
    )
    .option(
      "--controllers <n>",
      "how many bare machines there are for a control plane of your own (default: as before, or 0)",
      number,
    )
    .option("--kubernetes-version <version>", "instead of the newest supported version", kubernetesVersion)
    .option(
      "--flag <component=--flag=value>",
      "a control plane flag, which later commands keep; repeatable",
      (text, before: Override[] = []) => [...before, parseOverride(text)],
    )
    .option("--reset-flags", "drop the flags of earlier commands");

  for (const [name, operation, description] of [
    ["preview", "preview", "show what deploying the program would change"],
    ["deploy", "up", "run the program against the lab"],
    ["refresh", "refresh", "update the state from the cluster"],
    ["destroy", "destroy", "remove what the program has made; the lab stays"],
  ] as const) {
    stackOptions(add(name, description, (options: StackOptions) => runStackOperation(operation, options)))
      .option("--diff", "show every property that changes")
      .option("--refresh", "update the state from the cluster first")
      .option("--expect-no-changes", "fail when something changes")
      .option(
        "--replace <urn>",
        "replace this resource, also without a change; * and ** match any text",
        (urn, before: string[] = []) => [...before, urn],
      );
  }

  stackOptions(
    add("output", "print the program's outputs", async (options: OutputOptions) =>
      print(options, await stackOutputs(options), renderOutputs),
    ),
  ).option("--show-secrets", "print secret outputs too");

  stackOptions(add("stack-status", "compare the nodes with what the program declares", runStackStatus));

  add("status", "show the parts of the lab and the nodes of its cluster", printStatus);

  const targets = "a control plane component, mirror, worker-<n> or controller-<n>";
  for (const [action, description] of [
    ["start", "start"],
    ["stop", "stop"],
    ["restart", "stop and start again (a worker: reboot)"],
  ] as const) {
    add(`${action} <part>`, `${description} ${targets}`, (options: PowerOptions, part: string) =>
      changePower(action, part, options),
    ).option("--kill", "cut a worker's power instead of shutting it down");
  }

  /** Passes the arguments behind the command's own to another program. */
  const passThrough = (target: Command): Command => target.passThroughOptions().allowUnknownOption();
  passThrough(add("ssh <worker> [command...]", "log in to a worker, or run a command there", access.runSsh));
  passThrough(add("exec <worker> [command...]", "run a command as root inside a worker, without SSH", access.runExec));
  passThrough(
    add("kubectl [arguments...]", "run kubectl as the cluster's administrator", access.runKubectl),
  ).helpOption(false);
  stackOptions(
    passThrough(add("pulumi [arguments...]", "run any Pulumi command with the lab's backend and settings", runPulumi)),
  ).helpOption(false);
  stackOptions(passThrough(add("env <command...>", "run a command for which pulumi is the lab's", runWithPulumi)));

  add("logs <part>", `show the log of ${targets} (its console)`, access.showLogs)
    .option("-n, --lines <n>", "how many lines", "100")
    .option("-f, --follow", "show new lines as they come");

  add(
    "binaries",
    "make more Kubernetes binaries, such as kube-proxy or kubeadm",
    (options: BinariesOptions, names: Binary[]) => makeBinaries(names, options),
  )
    .addArgument(new Argument("<name...>").choices(BINARIES))
    .option("--kubernetes-version <version>", "instead of the newest supported version", kubernetesVersion);

  add(
    "images",
    "make images of programs that run as pods, and import them on the workers",
    (options: LabOptions, names: ImageName[]) => makeImages(names, options),
  ).addArgument(new Argument("<name...>").choices(IMAGES));

  add("yaml-host", "make the language host for Pulumi programs in YAML", (options: LabOptions) =>
    runSteps([{ title: "Language host for YAML", run: ensureYamlHost }], options),
  );

  add(
    "kubernetes-module",
    "change the Kubernetes version that labs run by default",
    (options: LabOptions, version: string) => moveToKubernetesVersion(version, options),
  ).addArgument(new Argument("<version>").argParser(kubernetesVersion));

  add("down", "remove the lab with everything it made; the cache stays", down);
  return lab;
}

function stackOptions(target: Command): Command {
  return target
    .option("--program <folder>", "another Pulumi program, such as examples/consumer")
    .option("--stack <stack>", "another stack than lab; give its settings with --config-file")
    .option("--config-file <file>", "another settings file than the lab's");
}

program()
  .parseAsync()
  .catch((error: unknown) => {
    process.exitCode = 1;
    if (error instanceof LabError) {
      console.error(`\nerror: ${error.message}${error.hint ? `\n${error.hint}` : ""}`);
    } else {
      console.error("\nerror:", error);
    }
  });
