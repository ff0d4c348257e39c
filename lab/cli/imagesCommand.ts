import { cp, rm } from "node:fs/promises";
import { join } from "node:path";
import { ensureBinary } from "../builds/kubernetes/binaries";
import { ensureUpstream, UPSTREAM } from "../builds/upstreamPrograms";
import { LabError } from "../host/labError";
import type { Say } from "../host/say";
import { type Lab, type LabOptions, type LabWorker, requireLab } from "../labState";
import { runInWorker } from "../workers/labWorker";
import { packProgramImage, type ProgramImage } from "../workers/programImage";
import { ensureBaseRootfs } from "../workers/rootfs";
import { runSteps, type Step } from "./progress";

export const IMAGES = ["kube-proxy", "flannel", "flannel-cni-plugin", "metrics-server"] as const;
export type ImageName = (typeof IMAGES)[number];

/** The names of images other than kube-proxy's are those in the manifests of the pinned releases. */
const MAKERS: Readonly<Record<ImageName, (version: string, say: Say) => Promise<ProgramImage>>> = {
  "kube-proxy": async (version, say) => ({
    name: `registry.k8s.io/kube-proxy:v${version}`,
    programs: { "/usr/local/bin/kube-proxy": await ensureBinary("kube-proxy", version, say) },
    tool: "packet filter",
  }),
  flannel: async (_version, say) => ({
    name: "ghcr.io/flannel-io/flannel:v0.28.10",
    programs: {
      "/opt/bin/flanneld": await ensureUpstream(UPSTREAM.flanneld, say),
      "/opt/bin/install-conf": await ensureUpstream(UPSTREAM.flannelConf, say),
    },
    tool: "packet filter",
  }),
  "flannel-cni-plugin": async (_version, say) => ({
    name: "ghcr.io/flannel-io/flannel-cni-plugin:v1.9.1-flannel3",
    programs: { "/flannel": await ensureUpstream(UPSTREAM.flannelCni, say) },
    tool: "cp",
  }),
  "metrics-server": async (_version, say) => ({
    name: "registry.k8s.io/metrics-server/metrics-server:v0.9.0",
    programs: { "/metrics-server": await ensureUpstream(UPSTREAM.metricsServer, say) },
  }),
};

/** Makes images and imports them on each worker of a running lab. */
export async function makeImages(names: readonly ImageName[], options: LabOptions): Promise<void> {
  const lab = await requireLab(options.name);
  await runSteps(
    names.map((name) => makeImage(lab, name)),
    options,
  );
}

function makeImage(lab: Lab, name: ImageName): Step {
  const archive = join(lab.paths.folder, `${name}-image.tar`);
  return {
    title: `Image of ${name}`,
    run: async (say) => {
      const image = await MAKERS[name](lab.settings.kubernetesVersion, say);
      await packProgramImage(image, (await ensureBaseRootfs(say)).debian, archive);
      await Promise.all(lab.workers.map((worker) => importImage(worker, archive)));
      await rm(archive);
    },
  };
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
