import * as pulumi from "@pulumi/pulumi";

/** The outputs of the platform stack. The values are known at preview. */
export class PlatformStack {
  readonly #reference: pulumi.StackReference;

  /** @param name `<organization>/<project>/<stack>` */
  constructor(readonly name: string) {
    this.#reference = new pulumi.StackReference(name);
  }

  /** The value of an output, also of a secret one. Undefined when the stack does not export it. */
  async output(name: string): Promise<unknown> {
    const details: { value?: unknown; secretValue?: unknown } = await this.#reference.getOutputDetails(name);
    return details.value ?? details.secretValue;
  }
}
