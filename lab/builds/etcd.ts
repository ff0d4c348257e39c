import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { cacheFolder } from "../labPaths";
import { aptGet } from "../host/hostPackages";
import { LabError } from "../host/labError";
import { architecture, which } from "../host/platform";
import { run } from "../host/run";
import type { Say } from "../host/say";
import { ensureCached } from "./cache";

/**
 * Returns the etcd on PATH, or unpacks Debian's package. The package is not installed, because its installation would start another etcd
 * on this machine.
 */
export async function ensureEtcd(say: Say): Promise<string> {
  const installed = await which("etcd");
  if (installed !== undefined) {
    return installed;
  }
  const unpack = async (staging: string): Promise<void> => {
    if (!(await which("apt-get"))) {
      throw new LabError("etcd is not on PATH, and this machine has no apt-get", "Install etcd 3.4 or newer.");
    }
    await mkdir(staging);
    say("apt-get download etcd-server");
    const options = ["-o", "APT::Sandbox::User=root"];
    const download = (): Promise<string> => aptGet(["download", ...options, "etcd-server"], staging);
    await download().catch(async () => {
      await aptGet(["update"]);
      await download();
    });
    const archive = (await readdir(staging)).find((name) => name.endsWith(".deb"))!;
    await run("dpkg-deb", ["-x", join(staging, archive), staging]);
  };
  const folder = await ensureCached(join(cacheFolder(), `etcd-${architecture()}`), say, unpack);
  return join(folder, "usr/bin/etcd");
}

/** The version of an etcd, such as `3.4.23`. */
export async function etcdVersion(program: string): Promise<string> {
  const [, version] = /^etcd Version: (\S+)$/m.exec(await run(program, ["--version"])) ?? [];
  if (version === undefined) {
    throw new LabError(`${program} prints no version`, "Put another etcd on PATH, or remove this one.");
  }
  return version;
}
