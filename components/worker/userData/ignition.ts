import { compressed } from "../../host/hostFiles";
import { BOOT_UNIT, type MachineFile } from "./machineFiles";

const UNITS = "/etc/systemd/system/";

const dataUrl = (content: Buffer): string => `data:;base64,${content.toString("base64")}`;

/**
 * Renders user data for Ignition.
 * @see https://coreos.github.io/ignition/configuration-v3_3/
 */
export function renderIgnition(files: readonly MachineFile[]): string {
  const isUnit = ({ path }: MachineFile) => path.startsWith(UNITS);
  return JSON.stringify({
    ignition: { version: "3.3.0" },
    storage: {
      files: files
        .filter((file) => !isUnit(file))
        .map(({ path, mode, text, secret }) => ({
          path,
          mode: parseInt(mode, 8),
          overwrite: true,
          contents: secret
            ? { source: dataUrl(Buffer.from(text)) }
            : { compression: "gzip", source: dataUrl(compressed(text)) },
        })),
    },
    systemd: {
      units: files.filter(isUnit).map(({ path, text }) => {
        const name = path.slice(UNITS.length);
        return { name, ...(name === BOOT_UNIT && { enabled: true }), contents: text };
      }),
    },
  });
}
