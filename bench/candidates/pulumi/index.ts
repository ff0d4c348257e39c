// The SDK's overhead is removed as in the module.
import "../../../sdkOverhead";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { remote } from "@pulumi/command";
import { Config, secret } from "@pulumi/pulumi";

interface Inputs {
  readonly workers: readonly { readonly name: string; readonly address: string; readonly hostKey: string }[];
  readonly user: string;
  readonly keyFile: string;
  /** The kubelet's files, laid out as on a worker. */
  readonly files: string;
}

const { workers, user, keyFile, files } = new Config().requireObject<Inputs>("inputs");
const privateKey = readFileSync(keyFile, "utf8");
const archive = execFileSync("tar", ["-C", files, "-c", "."]).toString("base64");

for (const { name, address, hostKey } of workers) {
  new remote.Command(name, {
    connection: { host: address, hostKey, user, privateKey },
    create:
      'sudo -n sh -c "base64 -d | tar -C / -x --no-same-owner --no-overwrite-dir && systemctl daemon-reload && systemctl enable --quiet --now kubelet"',
    stdin: secret(archive), // it has the token
    logging: remote.Logging.None,
    addPreviousOutputInEnv: false,
  });
}
