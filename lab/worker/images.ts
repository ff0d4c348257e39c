import { createHash } from "node:crypto";
import { copyFile, mkdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { architecture } from "../system/machine";
import { run } from "../system/run";
import { BUSYBOX_IMAGE, PAUSE_IMAGE } from "./files";

const sha256 = (data: string | Uint8Array): string => createHash("sha256").update(data).digest("hex");

export interface ImageInput {
  readonly name: string;
  readonly architecture: string;
  readonly layer: { readonly digest: string; readonly size: number };
  readonly command: readonly string[];
}

/** The documents of an OCI image archive with one layer: path in the archive → text. */
export function renderImage(image: ImageInput): Record<string, string> {
  const blob = (digest: string): string => `blobs/sha256/${digest}`;
  const config = JSON.stringify({
    architecture: image.architecture,
    os: "linux",
    config: { Env: ["PATH=/bin:/sbin:/usr/bin:/usr/sbin"], Cmd: image.command },
    rootfs: { type: "layers", diff_ids: [`sha256:${image.layer.digest}`] },
    history: [{ created_by: "tls-bootstrap lab" }],
  });
  const descriptor = (kind: string, digest: string, size: number): object => ({
    mediaType: `application/vnd.oci.image.${kind}`,
    digest: `sha256:${digest}`,
    size,
  });
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: descriptor("config.v1+json", sha256(config), Buffer.byteLength(config)),
    layers: [descriptor("layer.v1.tar", image.layer.digest, image.layer.size)],
  });
  const index = JSON.stringify({
    schemaVersion: 2,
    manifests: [
      {
        ...descriptor("manifest.v1+json", sha256(manifest), Buffer.byteLength(manifest)),
        annotations: { "io.containerd.image.name": image.name, "org.opencontainers.image.ref.name": image.name },
      },
    ],
  });
  return {
    "oci-layout": JSON.stringify({ imageLayoutVersion: "1.0.0" }),
    "index.json": index,
    [blob(sha256(config))]: config,
    [blob(sha256(manifest))]: manifest,
  };
}

const TAR = ["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner"];

/** Packs a folder as an image archive that `ctr images import` takes. */
export async function packImage(name: string, command: readonly string[], content: string, to: string): Promise<void> {
  const staging = `${to}.new`;
  await rm(staging, { recursive: true, force: true });
  const blobs = join(staging, "blobs", "sha256");
  await mkdir(blobs, { recursive: true });
  const layerFile = join(staging, "layer");
  await run("tar", [...TAR, "-cf", layerFile, "-C", content, "."]);
  const layer = await readFile(layerFile);
  await rm(layerFile);
  const digest = sha256(layer);
  await writeFile(join(blobs, digest), layer);
  const image = { name, command, architecture: architecture(), layer: { digest, size: layer.length } };
  for (const [path, text] of Object.entries(renderImage(image))) {
    await writeFile(join(staging, path), text);
  }
  await run("tar", [...TAR, "-cf", to, "-C", staging, "."]);
  await rm(staging, { recursive: true, force: true });
}

/** The two images that the lab's pods use, made of what is at hand: a small Go program, and Debian's busybox. */
export async function buildImages(busybox: string, folder: string, scratch: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const content = async (name: string): Promise<string> => {
    const root = join(scratch, name);
    await rm(root, { recursive: true, force: true });
    await mkdir(root, { recursive: true });
    return root;
  };

  const pause = await content("pause");
  await run("go", ["build", "-trimpath", "-ldflags", "-s -w", "-o", join(pause, "pause"), "main.go"], {
    cwd: join(__dirname, "pause"),
    env: { CGO_ENABLED: "0", GOFLAGS: "", GO111MODULE: "off", GOTOOLCHAIN: "local" },
  });
  await packImage(PAUSE_IMAGE, ["/pause"], pause, join(folder, "pause.tar"));

  const box = await content("busybox");
  for (const part of ["bin", "etc", "proc", "sys", "tmp"]) {
    await mkdir(join(box, part));
  }
  await copyFile(busybox, join(box, "bin", "busybox"));
  const applets = (await run(busybox, ["--list"])).trim().split("\n");
  await Promise.all(
    applets.filter((name) => name !== "busybox").map((name) => symlink("busybox", join(box, "bin", name))),
  );
  await writeFile(join(box, "etc", "passwd"), "root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n");
  await writeFile(join(box, "etc", "group"), "root:x:0:\nnogroup:x:65534:\n");
  await packImage(BUSYBOX_IMAGE, ["sh"], box, join(folder, "busybox.tar"));
}
