import { remote } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { readAirGap } from "../../downloads/airGap";
import { siteUrls } from "../../downloads/downloads";
import type { AirGapConf } from "../../host/hostConf";
import { commonArgs, machineOf, replaceCommand, type StepContext } from "./step";

/** Path of the archive on the worker, below the home folder of the SSH user. */
const AIR_GAP_FILE = ".tls-bootstrap-air-gap.tar";
/** The host unpacks the archive into this folder. */
const AIR_GAP_DIR = "/var/lib/tls-bootstrap/air-gap";

/** Sends the air-gap archive to the worker. Undefined when the worker has none. */
export function sendAirGap(context: StepContext): remote.CopyToRemote | undefined {
  const { name, worker, parent } = context;
  if (worker.airGap === undefined) return undefined;
  return new remote.CopyToRemote(
    `${name}-air-gap`,
    {
      connection: commonArgs(context).connection,
      source: new pulumi.asset.FileAsset(worker.airGap),
      remotePath: AIR_GAP_FILE,
      triggers: [machineOf(worker)],
    },
    { parent },
  );
}

/** The base URL of each site, or its folder in the unpacked archive. */
export const downloadSites = ({ worker }: StepContext): ReturnType<typeof siteUrls> =>
  worker.airGap === undefined
    ? siteUrls(worker)
    : { kubernetes: `${AIR_GAP_DIR}/kubernetes`, releases: `${AIR_GAP_DIR}/releases` };

/** The variables of host.conf about the archive. */
export function airGapVariables(context: StepContext): AirGapConf {
  const { worker } = context;
  if (worker.airGap === undefined) return {};
  return {
    AIR_GAP: readAirGap(worker.airGap).digest,
    AIR_GAP_USER: worker.ssh.user,
    AIR_GAP_FILE,
    AIR_GAP_DIR,
    AIR_GAP_COMMAND: replaceCommand(context, ["air-gap"]),
  };
}
