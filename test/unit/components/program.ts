import * as pulumi from "@pulumi/pulumi";
import type { MockResourceArgs } from "@pulumi/pulumi/runtime/mocks";
import type { JsonName } from "@peculiar/x509";
import { NODE_CERTIFICATE } from "../fixtures";
import { isSecret } from "../../protocolValues";
import { craftRequest, dns, ip } from "../../requests/craftRequest";

// The first program of a file loads the providers' SDKs.
jest.setTimeout(30_000);

/** A registered resource, as the engine would see it. */
export interface Registered {
  readonly type: string;
  readonly name: string;
  readonly inputs: Record<string, any>;
}

type Outputs = Record<string, unknown>;

/** Outputs that a provider computes, by type. A program may declare no other types. */
const OUTPUTS: Record<string, (name: string, inputs: any) => Outputs | Promise<Outputs>> = {
  "tls:index/privateKey:PrivateKey": () => ({ privateKeyPem: "PRIVATE KEY OF THE CLOCK" }),
  "tls:index/selfSignedCert:SelfSignedCert": () => ({
    validityStartTime: "2026-01-02T03:04:05.678901234Z",
    certPem: "CERTIFICATE OF THE SERVING CA",
  }),
  "tls:index/locallySignedCert:LocallySignedCert": () => ({ certPem: "SERVING CERTIFICATE" }),
  "random:index/randomString:RandomString": () => ({ result: "abc123" }),
  "random:index/randomPassword:RandomPassword": () => ({ result: "s3cr3ts3cr3ts3cr" }),
  "command:remote:Command": async (name, { stdin }) => ({
    stdout: name.endsWith("-host") ? await hostOutput(stdin) : (STDOUT[name.split("-").at(-1)!] ?? ""),
  }),
  "command:remote:CopyToRemote": () => ({}),
  // The token controller fills these in.
  "kubernetes:core/v1:Secret": (_, { type }) =>
    type === "kubernetes.io/service-account-token" ? { data: { token: btoa("the proxy's token") } } : {},
  "kubernetes:core/v1:SecretPatch": () => ({}),
  "kubernetes:core/v1:ConfigMap": () => ({}),
  // A ConfigMap that does not exist yet.
  "kubernetes:core/v1:ConfigMapPatch": () => ({}),
  "kubernetes:core/v1:Node": () => ({}),
  "kubernetes:core/v1:NodePatch": () => ({}),
  "kubernetes:core/v1:ServiceAccount": () => ({}),
  "kubernetes:apps/v1:DaemonSet": () => ({}),
  "kubernetes:apps/v1:Deployment": () => ({}),
  "kubernetes:rbac.authorization.k8s.io/v1:ClusterRole": () => ({}),
  "kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicy": () => ({}),
  "kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicyBinding": () => ({}),
  "kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicyBindingPatch": () => ({}),
  "kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding": () => ({}),
  "kubernetes:rbac.authorization.k8s.io/v1:Role": () => ({}),
  "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding": () => ({}),
};

const STDOUT: Record<string, string> = {
  kubelet: JSON.stringify({ step: "kubelet", changed: [], restarted: [], ms: 1 }),
  join: JSON.stringify({
    node: "worker-1",
    certificate: NODE_CERTIFICATE,
    ms: { token: 90, certificate: 800, ready: 700, total: 1590 },
  }),
};

let earlierHosts: Promise<unknown> = Promise.resolve();

/** What the host step prints. Host steps end in the order of their declaration, so that the first of two workers with one machine-id is known. */
function hostOutput(script: string): Promise<string> {
  const output = Promise.all([renderHostOutput(script), earlierHosts]).then(([text]) => text);
  earlierHosts = output;
  return output;
}

/** The checks of a host, and the serving request of its worker. */
async function renderHostOutput(script: string): Promise<string> {
  const variable = (name: string) => new RegExp(`^${name}='(.*)'$`, "m").exec(script)?.[1] ?? "";
  const [node, address] = [variable("NODE_NAME"), variable("NODE_ADDRESS")];
  const subject: JsonName = [{ O: ["system:nodes"] }, { CN: [`system:node:${node}`] }];
  const servingRequest = await craftRequest({ subject, names: [dns(node), ip(address)] });
  const checked = { step: "preflight", machine: "0a", notes: ["a note"] };
  return `${JSON.stringify(checked)}\n${JSON.stringify({ step: "host", servingRequest })}\n`;
}

/** Runs a program with mocked providers, and records what it declares. */
export class Program {
  readonly resources: Registered[] = [];
  /** Resource options by `type name`, taken by a transformation. */
  readonly options: Record<string, pulumi.CustomResourceOptions> = {};

  /**
   * @param outputs in place of OUTPUTS, by type
   * @param knowsHooks whether the monitor does; the one of the mocks does not
   */
  constructor(
    private readonly outputs: typeof OUTPUTS = {},
    private readonly knowsHooks = false,
  ) {}

  async run<T>(body: (opts: pulumi.ComponentResourceOptions) => T): Promise<T> {
    await pulumi.runtime.setMocks(
      {
        call: ({ token }) => {
          throw new Error(`unexpected call of ${token}`);
        },
        newResource: async ({ type, name, inputs, custom }: MockResourceArgs) => {
          this.resources.push({ type, name, inputs: inputs as Record<string, any> });
          const known = this.outputs[type] ?? OUTPUTS[type];
          if (!known && custom !== false) throw new Error(`unexpected resource type ${type}`);
          return { id: `${name}-id`, state: { ...inputs, ...(await known?.(name, inputs)) } };
        },
      },
      "t", // as the component, so that the scope of its objects is t-test
      "test",
      false,
    );
    const register = (_: unknown, done: (error: null) => void) => done(null);
    if (this.knowsHooks)
      Object.assign(pulumi.runtime.getMonitor()!, { registerErrorHook: register, registerResourceHook: register });
    const result = body({
      transformations: [
        ({ type, name, opts }) => {
          this.options[`${type} ${name}`] = opts;
          return undefined;
        },
      ],
    });
    await pulumi.runtime.disconnect(); // waits until no registration is under way
    return result;
  }

  /** The one resource of that type and name. */
  find(type: string, name: string): Registered {
    const found = this.resources.filter((resource) => resource.type === type && resource.name === name);
    if (found.length !== 1)
      throw new Error(`${found.length} resources ${type} ${name}; there are: ${this.listing().join(", ")}`);
    return found[0];
  }

  optionsOf(type: string, name: string): pulumi.CustomResourceOptions {
    this.find(type, name);
    return this.options[`${type} ${name}`];
  }

  /** `type name` of everything declared, sorted. */
  listing(): string[] {
    return this.resources.map(({ type, name }) => `${type} ${name}`).sort();
  }
}

/** The value of an output. */
export const valueOf = <T>(output: pulumi.Output<T>): Promise<T> =>
  new Promise((resolve) => {
    output.apply(resolve as (value: unknown) => void);
  });

/** The value of a secret input. Throws when the input is not secret. */
export function unboxed(input: any): any {
  if (!isSecret(input)) throw new Error(`not a secret: ${JSON.stringify(input)}`);
  return input.value;
}
