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

class Bucket extends pulumi.CustomResource {}

function stumble(text: string): string {
  throw new TypeError(`cannot read the missing part of a text with ${text.length} characters`);
}

if (scene === "unknown type") new Bucket("aws:s3/bucket:Bucket", "bucket");
if (scene === "late error") pair.both.apply(stumble);
if (scene === "error that others wait for") {
  const length = pair.both.apply(stumble).apply(Number);
  const never = new RandomString("never", { length });
  new RandomString("waiting", { length: 8, keepers: { never: never.result } });
}
if (scene === "run error") throw new pulumi.RunError("settings are wrong:\n  tls-bootstrap:pools is missing");
if (scene === "error") throw new Error("something broke");
if (scene === "log error") void pulumi.log.error("the program says no");
void pulumi.log.warn(`scene ${scene}`);

function other(stack: string, output: string): unknown {
  return new pulumi.StackReference(`organization/sample/${stack}`).requireOutput(output);
}

export const length = config.requireNumber("length");
export const both = pair.both;
export const password = config.requireSecret("password");
export const seen = scene === "reference" ? other("first", "both") : "";
export const seenLength = scene === "missing reference" ? other("nowhere", "length") : 0;
