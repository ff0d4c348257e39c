import { cp, mkdir, readdir, rm, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { ensureBinary } from "../builds/kubernetes/binaries";
import { type LabOptions, type LabWorker, requireLab } from "../labState";
import { LabError } from "../host/labError";
import type { Say } from "../host/say";
import { runSteps } from "./progress";
import { run } from "../host/run";
import { packImage } from "../workers/images";
import { ensureBaseRootfs } from "../workers/rootfs";
import { runInWorker } from "../workers/labWorker";

/** Makes kube-proxy's image and imports it on each worker of a running lab. */
export async function makeKubeProxyImage(options: LabOptions): Promise<void> {
  const lab = await requireLab(options.name);
  const version = lab.settings.kubernetesVersion;
  const archive = join(lab.paths.folder, "kube-proxy-image.tar");
  await runSteps(
    [
      { title: `kube-proxy ${version}`, run: (say) => buildImage(version, archive, say) },
      {
        title: "Workers",
        concurrent: true,
        steps: () => lab.workers.map((worker) => ({ title: worker.name, run: () => importImage(worker, archive) })),
      },
    ],
    options,
  );
  await rm(archive);
}

const IPTABLES = "/usr/sbin/xtables-nft-multi";
const NFT = "/usr/sbin/nft";
/** Names of iptables. It behaves according to the name by which it is called. */
const IPTABLES_NAMES = ["iptables", "ip6tables"].flatMap((name) => [name, `${name}-save`, `${name}-restore`]);

/** Makes an image of kube-proxy, and of iptables and nft from the workers' Debian, with the official image's name. A lab reaches no registry. */
async function buildImage(version: string, to: string, say: Say): Promise<void> {
  const kubeProxy = await ensureBinary("kube-proxy", version, say);
  const { debian } = await ensureBaseRootfs(say);
  const content = `${to}.content`;
  await rm(content, { recursive: true, force: true });
  for (const folder of ["bin", "sbin", "lib", "lib64"]) {
    await mkdir(join(content, "usr", folder), { recursive: true });
    await symlink(`usr/${folder}`, join(content, folder));
  }
  await cp(kubeProxy, join(content, "usr/local/bin/kube-proxy"));
  for (const path of await ruleToolFiles(debian)) {
    await cp(join(debian, path), join(content, path), { dereference: true });
  }
  for (const name of IPTABLES_NAMES) {
    await symlink("xtables-nft-multi", join(content, "usr/sbin", name));
  }
  await packImage(`registry.k8s.io/kube-proxy:v${version}`, "/usr/local/bin/kube-proxy", content, to);
  await rm(content, { recursive: true });
}

/** Paths of iptables, nft and all files that they load, in the workers' Debian. */
async function ruleToolFiles(debian: string): Promise<string[]> {
  const libraries = (await run("chroot", [debian, "ldd", IPTABLES, NFT])).matchAll(/(\/\S+) \(0x/g);
  const linked = [...libraries].map(([, path]) => path);
  const plugins = join(dirname(linked.find((path) => path.includes("/libxtables."))!), "xtables");
  const names = (await readdir(join(debian, plugins))).filter((name) => name.endsWith(".so"));
  return [IPTABLES, NFT, ...linked, ...names.map((name) => join(plugins, name))];
}

async function importImage(worker: LabWorker, archive: string): Promise<void> {
  const inside = "/var/tmp/image.tar";
  const file = join(worker.paths.rootfs, inside);
  await cp(archive, file);
  const { exitCode, stderr } = await runInWorker(worker, ["ctr", "--namespace", "k8s.io", "images", "import", inside]);
  await rm(file);
  if (exitCode !== 0) {
    throw new LabError(
      `containerd on ${worker.name} cannot import the image: ${stderr.trim()}`,
      `See its log: npm run lab -- exec ${worker.name} -- journalctl -u containerd`,
    );
  }
}
