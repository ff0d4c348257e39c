import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { issueCertificate } from "../../lab/control-plane/certificates";
import type { TestLab } from "./testLab";

const TRUSTED = "/etc/ssl/certs/ca-certificates.crt";

/** A site with the files of a lab's mirror, over https. */
export interface HttpsSite {
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Starts the site, and makes workers trust it. It redirects `/moved/…` to its own `/…`, and `/insecure/…` to the mirror, which has no
 * encryption.
 */
export async function startHttpsSite(lab: TestLab, workers: readonly string[]): Promise<HttpsSite> {
  const { mirror, mirrorDir, stateDir } = await lab.facts();
  const { hostname } = new URL(mirror);
  const [certificate, key] = await Promise.all(
    ["ca.crt", "ca.key"].map((name) => readFile(join(stateDir, "pki", name), "utf8")),
  );
  const own = await issueCertificate({ certificate, key }, { commonName: "site", hosts: [hostname] }, new Date());
  const server = createServer({ cert: own.certificate, key: own.key }, ({ url }, answer) => {
    const [, redirect, path] = /^\/(?:(moved|insecure)\/)?(.*)$/.exec(url!)!;
    if (redirect) {
      answer.writeHead(302, { location: `${redirect === "insecure" ? mirror : ""}/${path}` }).end();
      return;
    }
    createReadStream(join(mirrorDir, path))
      .on("error", () => answer.writeHead(404).end())
      .pipe(answer);
  });
  await new Promise<void>((listening) => server.listen(0, hostname, listening));
  for (const worker of workers)
    await lab.shell(worker, `cp -p ${TRUSTED} ${TRUSTED}.real && cat >>${TRUSTED} <<'END'\n${certificate}END`);
  return {
    url: `https://${hostname}:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
      for (const worker of workers) await lab.shell(worker, `mv ${TRUSTED}.real ${TRUSTED}`);
    },
  };
}
