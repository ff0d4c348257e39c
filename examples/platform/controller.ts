import { join } from "node:path";
import { readFileSync } from "node:fs";
import { remote } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { PATHS } from "../../components/cluster/names";
import { type HostFile, renderBundle } from "../../components/host/hostFiles";
import { connectionTo } from "../../components/worker/connection";
import { pinnedBinaries } from "../../components/worker/files/hostVariables";
import { retryUntilHostAnswers } from "../../components/worker/hostRetry";
import { renderHostScript, scriptFile } from "../../components/worker/hostScript";
import { commandLines, commonArgs, machineOf } from "../../components/worker/steps/step";
import { type Component, flagsOf } from "./componentFlags";
import { credentialsFolder, unitFile } from "./componentUnit";
import { BINARIES, type ControllerSettings, etcdChecksums, etcdPath, type PlatformSettings } from "./platformSettings";

const SCRIPTS = ["preflight.sh", "host.sh", "component.sh", "remove.sh"];

/** The module's scripts that run a step, and the controller's own. */
const scripts = (): HostFile[] => [
  ...["common.sh", "download.sh", "runtime-tarball.sh", "run.sh"].map(scriptFile),
  ...SCRIPTS.map((name) => ({
    path: `${PATHS.scripts}/${name}`,
    mode: "0755",
    text: readFileSync(join(__dirname, "scripts", name), "utf8"),
  })),
];

/** Some five seconds. A destroy runs no hooks, so the plugin itself tries again. */
const REMOVE_DIALS = 8;

/** Keys, certificates and kubeconfigs of a component, by file name. */
export type Credentials = Readonly<Record<string, pulumi.Input<string>>>;

/** A VM with programs of the control plane. They are removed with this resource, and so is the data of etcd. */
export class Controller extends pulumi.ComponentResource {
  readonly #name: string;
  readonly #settings: PlatformSettings;
  readonly #controller: ControllerSettings;
  readonly #host: remote.Command;
  readonly #remove: remote.Command;

  constructor(name: string, controller: ControllerSettings, settings: PlatformSettings) {
    const { ssh } = settings;
    super("platform:index:Controller", name, {}, { transformations: [retryUntilHostAnswers(name, { name, ssh })] });
    this.#name = name;
    this.#settings = settings;
    this.#controller = controller;
    const run = commandLines(this.#context);
    // A promise, because an output of this component would make its own commands wait for it.
    const owner = new Promise<string>((resolve) => void this.urn.apply(resolve));
    this.#host = new remote.Command(
      `${name}-host`,
      {
        ...commonArgs(this.#context),
        create: run.script("create"),
        update: run.script("update"),
        stdin: owner.then((urn) => renderHostScript(hostVariables(urn, controller, settings), [], scripts())),
      },
      { parent: this, replacementTrigger: machineOf(controller) },
    );
    this.#remove = new remote.Command(
      `${name}-remove`,
      {
        ...commonArgs(this.#context),
        connection: connectionTo(this.#context.worker, REMOVE_DIALS),
        delete: run.undo("remove"),
        stdin: owner.then((urn) => `${urn}\n`),
      },
      { parent: this, dependsOn: this.#host, replacementTrigger: controller.address, deleteBeforeReplace: true },
    );
    this.registerOutputs({});
  }

  get #context() {
    return { worker: { ...this.#controller, ssh: this.#settings.ssh } };
  }

  /**
   * Installs a component and starts it, in two commands: the credentials are secret, and the unit is text whose changed lines a preview shows.
   * Each restarts the component and waits until it is healthy.
   * @param waits whether the first start waits too. A member of an etcd cluster is not healthy before the others run.
   */
  install(
    component: Component,
    credentials: Credentials,
    { waits, dependsOn }: { readonly waits: boolean; readonly dependsOn: readonly pulumi.Resource[] },
  ): remote.Command {
    const run = commandLines(this.#context);
    const common = { ...commonArgs(this.#context), triggers: [this.#host.id] };
    const apply = run.step(`component apply ${component}`);
    const installed = new remote.Command(
      `${this.#name}-${component}-credentials`,
      {
        ...common,
        create: apply,
        stdin: pulumi.secret(pulumi.output(credentials).apply(renderCredentials(component))),
      },
      { parent: this, dependsOn: [this.#remove, ...dependsOn] },
    );
    const unit = unitFile({
      ...this.#settings,
      component,
      flags: flagsOf(component, this.#settings, this.#controller),
      credentials: Object.keys(credentials),
    });
    return new remote.Command(
      `${this.#name}-${component}`,
      {
        ...common,
        create: waits ? apply : run.step(`component start ${component}`),
        update: apply,
        stdin: renderBundle([unit]),
      },
      { parent: this, dependsOn: installed },
    );
  }
}

const renderCredentials = (component: Component) => (credentials: Record<string, string>) =>
  renderBundle(
    Object.entries(credentials).map(([file, text]) => ({
      path: `${credentialsFolder(component)}/${file}`,
      mode: "0600",
      text: `${text.trimEnd()}\n`,
    })),
  );

/** The variables of `host.conf`, which the scripts read. */
const hostVariables = (
  owner: string,
  { name, address }: ControllerSettings,
  settings: PlatformSettings,
): Readonly<Record<string, string>> => ({
  OWNER: owner,
  CONTROLLER: name,
  ADDRESS: address,
  KUBERNETES_VERSION: settings.kubernetesVersion,
  DOWNLOAD_URL: settings.downloadUrl.replace(/\/+$/, ""),
  BINARIES: BINARIES.join(" "),
  KUBERNETES_SHA256: pinnedBinaries(BINARIES, settings).join(" "),
  RUNTIME_URL: settings.etcdDownloadUrl.replace(/\/+$/, ""),
  ETCD_VERSION: settings.etcdVersion,
  ETCD_FILE: etcdPath(settings.etcdVersion, "@ARCHITECTURE@"),
  ETCD_SHA256: etcdChecksums(settings).join(" "),
});
