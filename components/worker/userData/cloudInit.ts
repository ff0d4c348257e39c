import { gzipSync } from "fflate";
import { stringify } from "yaml";
import { BOOT_UNIT, type MachineFile } from "./machineFiles";

/** The same bytes for the same text on every computer, which Node's own zlib does not promise. */
export const compressed = (text: string): Buffer => Buffer.from(gzipSync(Buffer.from(text), { level: 9, mtime: 0 }));

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
