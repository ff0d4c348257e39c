import * as pulumi from "@pulumi/pulumi";
import { RandomPassword, RandomString } from "@pulumi/random";

const config = new pulumi.Config();
const scene = config.require("scene");

class Pair extends pulumi.ComponentResource {
  readonly both: pulumi.Output<string>;

  constructor(name: string, opts?: pulumi.ComponentResourceOptions) {
    super("sample:index:Pair", name, {}, opts);
    const first = new RandomString(`${name}-first`, { length: config.requireNumber("length") }, { parent: this });
    const second = new RandomPassword(
      `${name}-second`,
      { length: 20, keepers: { first: first.result } },
      { parent: this },
    );
    this.both = pulumi.interpolate`${first.result} ${second.result}`;
    this.registerOutputs({ both: this.both });
  }
}

const pair = new Pair("pair");

if (scene === "unknown type") new pulumi.CustomResource("aws:s3/bucket:Bucket", "bucket", {});
if (scene === "late error") pair.both.apply(() => undefined.missing);
if (scene === "run error") throw new pulumi.RunError("settings are wrong:\n  tls-bootstrap:pools is missing");
if (scene === "error") throw new Error("something broke");
if (scene === "log error") void pulumi.log.error("the program says no");
void pulumi.log.warn(`scene ${scene}`);

const reference = scene === "reference" ? new pulumi.StackReference("organization/sample/first") : undefined;
const missing = scene === "missing reference" ? new pulumi.StackReference("organization/sample/nowhere") : undefined;

export const length = config.requireNumber("length");
export const both = pair.both;
export const password = config.requireSecret("password");
export const seen = reference?.requireOutput("both");
export const plainSeen = reference?.requireOutput("length");
export const nowhere = missing?.requireOutput("x");

declare const undefined: { missing: string } & undefined;
