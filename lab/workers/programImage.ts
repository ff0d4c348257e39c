import { cp, mkdir, readdir, rm, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { run } from "../host/run";
import { packImage } from "./images";

/** An image of programs that the lab has built. A lab reaches no registry. */
export interface ProgramImage {
  /** The name of the official image. */
  readonly name: string;
  /** Files on this machine by their paths in the image. The first one is the image's command. */
  readonly programs: Readonly<Record<string, string>>;
  /** What the programs, or those who start them, need of the workers' Debian. */
  readonly tool?: "packet filter" | "cp";
}

/** Packs an image as an archive that containerd imports. */
export async function packProgramImage(
  { name, programs, tool }: ProgramImage,
  debian: string,
  to: string,
): Promise<void> {
  const content = `${to}.content`;
  await rm(content, { recursive: true, force: true });
  for (const folder of ["bin", "sbin", "lib", "lib64"]) {
    await mkdir(join(content, "usr", folder), { recursive: true });
    await symlink(`usr/${folder}`, join(content, folder));
  }
  for (const [path, file] of Object.entries(programs)) {
    await cp(file, join(content, path));
  }
  if (tool === "packet filter") {
    await addPacketFilter(debian, content);
  } else if (tool === "cp") {
    await cp(join(debian, "usr/bin/busybox"), join(content, "usr/bin/cp"));
  }
  await packImage(name, Object.keys(programs)[0], content, to);
  await rm(content, { recursive: true });
}

const IPTABLES = "/usr/sbin/xtables-nft-multi";
const NFT = "/usr/sbin/nft";
/** Names of iptables. It behaves according to the name by which it is called. */
const IPTABLES_NAMES = ["iptables", "ip6tables"].flatMap((name) => [name, `${name}-save`, `${name}-restore`]);

/** Adds iptables and nft. */
async function addPacketFilter(debian: string, content: string): Promise<void> {
  for (const path of await packetFilterFiles(debian)) {
    await cp(join(debian, path), join(content, path), { dereference: true });
  }
  for (const name of IPTABLES_NAMES) {
    await symlink("xtables-nft-multi", join(content, "usr/sbin", name));
  }
}

/** Paths of iptables, nft and all files that they load, in the workers' Debian. */
async function packetFilterFiles(debian: string): Promise<string[]> {
  const libraries = (await run("chroot", [debian, "ldd", IPTABLES, NFT])).matchAll(/(\/\S+) \(0x/g);
  const linked = [...libraries].map(([, path]) => path);
  const plugins = join(dirname(linked.find((path) => path.includes("/libxtables."))!), "xtables");
  const names = (await readdir(join(debian, plugins))).filter((name) => name.endsWith(".so"));
  return [IPTABLES, NFT, ...linked, ...names.map((name) => join(plugins, name))];
}
