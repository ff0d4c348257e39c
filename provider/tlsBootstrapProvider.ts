import * as pulumi from "@pulumi/pulumi";
import type { ConstructResult, Provider } from "@pulumi/pulumi/provider";
import { TlsBootstrap, type TlsBootstrapArgs } from "../components";
import { version } from "../package.json";
import { argumentsFrom } from "./argumentsFrom";
import schema from "./schema.json";

const TYPE = "tls-bootstrap:index:TlsBootstrap";

/** Offers {@link TlsBootstrap} to programs in YAML, Python, Go and the other languages of Pulumi. */
export class TlsBootstrapProvider implements Provider {
  readonly version = version;
  readonly schema = JSON.stringify({ ...schema, version });

  async construct(
    name: string,
    type: string,
    inputs: pulumi.Inputs,
    options: pulumi.ComponentResourceOptions,
  ): Promise<ConstructResult> {
    if (type !== TYPE) throw new pulumi.RunError(`'${type}' is unknown. This package has ${TYPE}.`);
    const { inputProperties, properties } = schema.resources[TYPE];
    const args = await argumentsFrom(`TlsBootstrap '${name}'`, inputs, { properties: inputProperties }, schema.types);
    const nodes = new TlsBootstrap(name, args as unknown as TlsBootstrapArgs, options);
    const outputs = Object.keys(properties) as (keyof typeof properties)[];
    return { urn: nodes.urn, state: Object.fromEntries(outputs.map((output) => [output, nodes[output]])) };
  }
}
