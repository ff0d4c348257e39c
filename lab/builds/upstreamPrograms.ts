import { basename, join } from "node:path";
import { architecture } from "../host/platform";
import type { Say } from "../host/say";
import { cacheFolder } from "../labPaths";
import { ensureCached } from "./cache";
import { buildGoProgram, requiredVersion } from "./goModule";

/** A program of another project, from the Go module that a folder beside this file pins. */
export interface UpstreamProgram {
  readonly folder: string;
  readonly module: string;
  /** Import path of the program. */
  readonly program: string;
  readonly hasC?: boolean;
}

/** Flannel's CNI plugin is from the last release of the CNI plugins that has it. Not every proxy has the module that it moved to. */
export const UPSTREAM = {
  flanneld: {
    folder: "flannel",
    module: "github.com/flannel-io/flannel",
    program: "github.com/flannel-io/flannel",
    hasC: true,
  },
  flannelConf: {
    folder: "flannel",
    module: "github.com/flannel-io/flannel",
    program: "github.com/flannel-io/flannel/cmd/install_conf",
  },
  flannelCni: {
    folder: "flannel-cni",
    module: "github.com/containernetworking/plugins",
    program: "github.com/containernetworking/plugins/plugins/meta/flannel",
  },
  metricsServer: {
    folder: "metrics-server",
    module: "sigs.k8s.io/metrics-server",
    program: "sigs.k8s.io/metrics-server/cmd/metrics-server",
  },
} as const satisfies Record<string, UpstreamProgram>;

/** Finds a program in the cache or builds it, and returns its path. */
export async function ensureUpstream({ folder, module, program, hasC }: UpstreamProgram, say: Say): Promise<string> {
  const goModule = join(__dirname, folder);
  const version = await requiredVersion(goModule, module);
  const file = join(cacheFolder(), folder, `v${version}`, `linux-${architecture()}`, basename(program));
  return ensureCached(file, say, (staging) =>
    buildGoProgram({ folder: goModule, program, linkerFlags: "-s -w", hasC }, staging, "it is in an image", say),
  );
}
