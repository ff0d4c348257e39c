import { rm } from "node:fs/promises";
import { join } from "node:path";
import { ensureBinary } from "../kubernetes/binaries";
import { requireLab } from "../lab";
import { runSteps } from "../system/progress";
import { buildKubeProxyImage, importImage } from "../worker/kubeProxyImage";
import { ensureBaseRootfs } from "../worker/rootfs";

export interface KubeProxyImageOptions {
  readonly name: string;
  readonly json?: boolean;
}

/** Makes kube-proxy's image and gives it to each worker of a lab that is up. */
export async function kubeProxyImage(options: KubeProxyImageOptions): Promise<void> {
  const lab = await requireLab(options.name);
  const version = lab.settings.kubernetesVersion;
  const archive = join(lab.paths.folder, "kube-proxy-image.tar");
  await runSteps(
    [
      { title: `kube-proxy ${version}`, run: async (say) => void (await ensureBinary("kube-proxy", version, say)) },
      { title: "Image", run: async (say) => buildKubeProxyImage(lab, await ensureBaseRootfs(say), archive) },
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
