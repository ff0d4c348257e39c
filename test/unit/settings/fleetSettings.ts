import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify as stringifyYaml } from "yaml";
import { parseSettings, type Settings } from "../../../settings/settings";
import { CA, SSH_KEY } from "../fixtures";
import { storedConfig } from "./storedConfig";

/**
 * Runs the tests of a file in an empty project: a temporary folder with a folder `workers`. A relative path begins at the folder of
 * Pulumi.yaml, which is where the program runs.
 * @returns the folder
 */
export function useEmptyProject(): string {
  const home = process.cwd();
  const folder = mkdtempSync(join(tmpdir(), "workers-file-"));
  beforeAll(() => {
    mkdirSync(join(folder, "workers"));
    process.chdir(folder);
  });
  afterAll(() => {
    process.chdir(home);
    rmSync(folder, { recursive: true });
  });
  return folder;
}

export const A = "workers/a.yaml";

/** YAML with one line for each setting. */
export const stringify = (value: unknown) => stringifyYaml(value, { lineWidth: 0 });

/** A host key that is unique to this number. */
const hostKey = (number: number) => {
  const type = Buffer.from("ssh-ed25519");
  const key = Buffer.alloc(32);
  key.writeUInt32BE(number);
  const sized = (bytes: Buffer) => Buffer.concat([Buffer.from([0, 0, 0, bytes.length]), bytes]);
  return `ssh-ed25519 ${Buffer.concat([sized(type), sized(key)]).toString("base64")}`;
};

export const worker = (number: number) => ({
  name: `worker-${number}`,
  address: `10.0.${number >> 8}.${number & 255}`,
  hostKey: hostKey(number),
});

export const fleet = (count: number) => Array.from({ length: count }, (_, i) => worker(i + 1));

/** Reads settings with these pools. */
export const settings = (pools: unknown, change: Record<string, unknown> = {}, bytes?: number): Settings => {
  const given = {
    cluster: { server: "https://10.0.0.1:6443", ca: CA, token: "t" },
    kubernetesVersion: "1.34.4",
    ssh: { privateKey: SSH_KEY },
    pools,
    ...change,
  };
  return parseSettings("tls-bootstrap", storedConfig(given), bytes);
};

/** The problems that the report lists; none when the settings are accepted. */
export const report = (...args: Parameters<typeof settings>): string[] => {
  try {
    settings(...args);
  } catch (error) {
    const [first, ...lines] = (error as Error).message.split("\n");
    const count = lines.length === 1 ? "1 problem" : `${lines.length} problems`;
    expect(first).toBe(`The configuration of this stack cannot be used: ${count}`);
    return lines.map((line) => line.trim());
  }
  return [];
};

/** The problems of a pool whose workers file holds this text. */
export const reportOn = (text: string, path = A): string[] => {
  writeFileSync(path, text);
  return report([{ name: "a", workersFile: path }]);
};
