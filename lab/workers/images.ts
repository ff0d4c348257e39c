import { hash } from "node:crypto";
import { cp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { architecture } from "../host/platform";
import { run } from "../host/run";

/** Packs a folder as an image archive in the format of `docker save`, which `ctr images import` reads. */
export async function packImage(name: string, command: string, content: string, to: string): Promise<void> {
  const staging = `${to}.new`;
  await rm(staging, { recursive: true, force: true });
  await mkdir(staging, { recursive: true });
  const layer = join(staging, "layer.tar");
  await run("tar", ["-cf", layer, "-C", content, "."]);
  const config = {
    architecture: architecture(),
    os: "linux",
    config: { Env: ["PATH=/bin:/sbin:/usr/bin:/usr/sbin"], Entrypoint: [command] },
    rootfs: { type: "layers", diff_ids: [`sha256:${hash("sha256", await readFile(layer))}`] },
  };
  const manifest = [{ Config: "config.json", RepoTags: [name], Layers: ["layer.tar"] }];
  await writeFile(join(staging, "config.json"), JSON.stringify(config));
  await writeFile(join(staging, "manifest.json"), JSON.stringify(manifest));
  await run("tar", ["-cf", to, "-C", staging, "."]);
  await rm(staging, { recursive: true });
}

/** Makes the images of the lab's pods: `pause` from a small Go program, `busybox` from Debian's busybox. */
export async function buildImages(busybox: string, folder: string, scratch: string): Promise<void> {
  const pause = join(scratch, "pause");
  await run("go", ["build", "-trimpath", "-ldflags", "-s -w", "-o", join(pause, "pause"), "main.go"], {
    cwd: join(__dirname, "pause"),
    env: { CGO_ENABLED: "0", GOFLAGS: "", GO111MODULE: "off", GOTOOLCHAIN: "local" },
  });
  await packImage("lab.local/pause:1", "/pause", pause, join(folder, "pause.tar"));

  const box = join(scratch, "busybox");
  for (const part of ["etc", "proc", "sys", "tmp"]) {
    await mkdir(join(box, part), { recursive: true });
  }
  await cp(busybox, join(box, "bin", "busybox"));
  await run("chroot", [box, "/bin/busybox", "--install", "-s", "/bin"]);
  await writeFile(join(box, "etc", "passwd"), "root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n");
  await writeFile(join(box, "etc", "group"), "root:x:0:\nnogroup:x:65534:\n");
  await packImage("lab.local/busybox:1", "sh", box, join(folder, "busybox.tar"));
}
