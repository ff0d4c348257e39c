import { stringify } from "yaml";
import { compressed } from "../../host/hostFiles";
import { BOOT_UNIT, type MachineFile } from "./machineFiles";

/**
 * Renders user data for cloud-init.
 * @see https://cloudinit.readthedocs.io/en/latest/reference/modules.html#write-files
 */
export function renderCloudInit(files: readonly MachineFile[]): string {
  const config = {
    write_files: files.map(({ path, mode, text, secret }) => ({
      path,
      permissions: mode,
      ...(secret ? { content: text } : { encoding: "gz+b64", content: compressed(text).toString("base64") }),
    })),
    runcmd: [
      ["systemctl", "daemon-reload"],
      // cloud-init must not wait for the unit, which waits for cloud-init.
      ["systemctl", "enable", "--now", "--no-block", BOOT_UNIT],
    ],
  };
  return `#cloud-config\n${stringify(config, { lineWidth: 0 })}`;
}
