import { copyFile, mkdir, readdir, rm, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { requireBinary } from "../kubernetes/binaries";
import type { Lab, LabWorker } from "../lab";
import { LabError } from "../system/errors";
import { run } from "../system/run";
import { packImage } from "./images";
import type { BaseRootfs } from "./rootfs";
import { inWorker } from "./worker";

const IPTABLES = "/usr/sbin/xtables-nft-multi";
/** Names by which that one program is called. */
const IPTABLES_NAMES = ["iptables", "ip6tables"].flatMap((name) => [name, `${name}-save`, `${name}-restore`]);

/** The files in the workers' Debian that iptables loads, by their paths there. */
async function iptablesFiles(debian: string): Promise<string[]> {
  const linked = [...(await run("chroot", [debian, "ldd", IPTABLES])).matchAll(/(\/\S+) \(0x/g)].map(
    ([, path]) => path,
  );
  const library = linked.find((path) => path.includes("/libxtables."));
  if (library === undefined) {
    throw new LabError(`${IPTABLES} in ${debian} is not linked to libxtables`);
  }
  const plugins = join(dirname(library), "xtables");
  const names = (await readdir(join(debian, plugins))).filter((name) => name.endsWith(".so"));
  return [IPTABLES, ...linked, ...names.map((name) => join(plugins, name))];
}

/**
 * Makes an image under the name of the official one: the real kube-proxy, and iptables from the workers' Debian. There is no registry to pull it
 * from in a lab.
 */
export async function buildKubeProxyImage(lab: Lab, { debian }: BaseRootfs, to: string): Promise<void> {
  const version = lab.settings.kubernetesVersion;
  const content = `${to}.content`;
  await rm(content, { recursive: true, force: true });
  for (const folder of ["bin", "sbin", "lib", "lib64"]) {
    await mkdir(join(content, "usr", folder), { recursive: true });
    await symlink(`usr/${folder}`, join(content, folder));
  }
  const put = async (from: string, path: string): Promise<void> => {
    await mkdir(dirname(join(content, path)), { recursive: true });
    await copyFile(from, join(content, path));
  };
  await put(await requireBinary("kube-proxy", version), "/usr/local/bin/kube-proxy");
  for (const path of await iptablesFiles(debian)) {
    await put(join(debian, path), path);
  }
  for (const name of IPTABLES_NAMES) {
    await symlink("xtables-nft-multi", join(content, "usr/sbin", name));
  }
  await packImage(`registry.k8s.io/kube-proxy:v${version}`, ["/usr/local/bin/kube-proxy"], content, to);
  await rm(content, { recursive: true, force: true });
}

/** Brings an image archive to a worker's containerd. */
export async function importImage(worker: LabWorker, archive: string): Promise<void> {
  const inside = "/var/tmp/image.tar";
  const file = join(worker.paths.rootfs, inside);
  await copyFile(archive, file);
  const { exitCode, stderr } = await inWorker(worker, ["ctr", "--namespace", "k8s.io", "images", "import", inside]);
  await rm(file);
  if (exitCode !== 0) {
    throw new LabError(`${worker.name} can't import the image: ${stderr.trim()}`);
  }
}
