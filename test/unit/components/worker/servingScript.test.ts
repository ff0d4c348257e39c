import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { renderConf } from "../../../../components/host/hostConf";
import { checkedRequest } from "../../../../components/serving/servingRequest";
import { REPOSITORY } from "../../../repository";

/** Runs serving.sh with the real openssl. A temporary folder takes the place of the host's root. */
jest.setTimeout(30_000); // generating keys and loading x509 take a while

const SCRIPTS = join(REPOSITORY, "components", "worker", "scripts");
let root: string;
const at = (path: string) => join(root, path);
const PKI = "etc/kubernetes/pki";

const HOST = {
  NODE_NAME: "worker-1",
  KUBERNETES_VERSION: "1.34.4",
  SERVING_NAMES: "DNS:worker-1, IP:10.0.1.11",
  REPLACE_COMMAND: "THE REPAIR",
};
const configure = (change: Partial<typeof HOST> = {}) =>
  writeFileSync(at("etc/tls-bootstrap/host.conf"), renderConf({ ...HOST, ...change }));

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "serving-"));
  for (const folder of [PKI, "etc/tls-bootstrap", "lib", "run", "var/lib/kubelet"])
    mkdirSync(at(folder), { recursive: true });
  for (const name of ["common.sh", "serving.sh"]) {
    const text = readFileSync(join(SCRIPTS, name), "utf8")
      .replaceAll("/opt/tls-bootstrap/scripts", at("lib"))
      .replaceAll("/run/tls-bootstrap", at("run"))
      .replaceAll("/var/lib/kubelet", at("var/lib/kubelet"))
      .replaceAll("/etc/", at("etc/"));
    writeFileSync(at(`lib/${name}`), text);
  }
  configure();
});
afterEach(() => rmSync(root, { recursive: true }));

const serving = (action: string, input = "") => {
  const args = [at("lib/serving.sh"), ...action.split(" ")];
  const { status, stdout, stderr } = spawnSync("sh", args, { input, encoding: "utf8" });
  return { status, stdout, stderr };
};
const request = () => {
  const { status, stdout, stderr } = serving("request update");
  expect([status, stderr]).toEqual([0, ""]);
  return stdout;
};
/** Signs a request with a new CA. */
const sign = (pem: string): string => {
  writeFileSync(at("request"), pem);
  const { stdout, stderr } = spawnSync(
    "sh",
    [
      "-c",
      "openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out ca && openssl req -x509 -key ca -subj /CN=ca -out ca.crt && openssl x509 -req -in request -CA ca.crt -CAkey ca",
    ],
    { cwd: root, encoding: "utf8" },
  );
  if (!stdout.includes("BEGIN CERTIFICATE")) throw new Error(stderr);
  return stdout;
};
const files = () => readdirSync(at(PKI)).sort();
const mode = (file: string) => (statSync(at(`${PKI}/${file}`)).mode & 0o777).toString(8);

it("generates a key that only root can read, and requests exactly the declared names", async () => {
  const pem = request();
  expect(await checkedRequest(pem, "worker-1", "10.0.1.11", "")).toBe(pem);
  expect(files()).toEqual(["kubelet-serving.key"]);
  expect(mode("kubelet-serving.key")).toBe("600");
  expect(pem).not.toContain("PRIVATE KEY");
});

it("keeps the key for later requests, also for another address", async () => {
  request();
  const key = readFileSync(at(`${PKI}/kubelet-serving.key`), "utf8");
  configure({ SERVING_NAMES: "DNS:worker-1, IP:fd00::11" });
  const pem = request();
  expect(await checkedRequest(pem, "worker-1", "fd00::11", "")).toBe(pem);
  expect(readFileSync(at(`${PKI}/kubelet-serving.key`), "utf8")).toBe(key);
});

it("replaces a truncated key when there is no certificate yet", () => {
  writeFileSync(at(`${PKI}/kubelet-serving.key`), "-----BEGIN PRIVATE KEY-----\n");
  request();
  expect(readFileSync(at(`${PKI}/kubelet-serving.key`), "utf8")).toContain("END PRIVATE KEY");
});

it("installs a certificate for its key", () => {
  const certificate = sign(request());
  expect(serving("apply", certificate)).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(/^{"step":"serving","ms":\d+}\n$/),
  });
  expect(readFileSync(at(`${PKI}/kubelet-serving.crt`), "utf8")).toBe(certificate);
  expect(mode("kubelet-serving.crt")).toBe("644");
  expect(readdirSync(at("run"))).toEqual([]);
});

it.each([
  [
    "a certificate for another key",
    () =>
      sign(
        spawnSync(
          "openssl",
          ["req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x", "-keyout", "/dev/null"],
          { encoding: "utf8" },
        ).stdout,
      ),
  ],
  ["text that is no certificate", () => "nonsense"],
  ["empty input", () => ""],
])("refuses %s, and keeps the installed certificate", (_, other) => {
  const certificate = sign(request());
  serving("apply", certificate);
  const { status, stderr } = serving("apply", other());
  expect(status).toBe(1);
  expect(stderr).toContain("the serving certificate that was signed for worker-1 is not for the key in");
  expect(stderr).toContain("THE REPAIR");
  expect(readFileSync(at(`${PKI}/kubelet-serving.crt`), "utf8")).toBe(certificate);
});

it.each([
  ["missing", () => rmSync(at(`${PKI}/kubelet-serving.key`))],
  [
    "another one",
    () =>
      writeFileSync(
        at(`${PKI}/kubelet-serving.key`),
        spawnSync("openssl", ["genpkey", "-algorithm", "ED25519"]).stdout,
      ),
  ],
])("says how to replace both when the certificate's key is %s", (_, spoil) => {
  serving("apply", sign(request()));
  spoil();
  const { status, stderr } = serving("request update");
  expect(status).toBe(1);
  expect(stderr).toMatch(/kubelet-serving.key is gone or is not the key of .*kubelet-serving.crt\n/);
  expect(stderr).toContain("THE REPAIR");
  // The repair replaces step host, which makes another key.
  const { stdout } = serving("request create");
  expect(serving("apply", sign(stdout)).status).toBe(0);
});

it("removes key and certificate, but not while the kubelet's config names them", () => {
  serving("apply", sign(request()));
  writeFileSync(at("var/lib/kubelet/config.yaml"), `tlsPrivateKeyFile: ${at(PKI)}/kubelet-serving.key\n`);
  expect(serving("remove").status).toBe(0);
  expect(files()).toEqual(["kubelet-serving.crt", "kubelet-serving.key"]);
  rmSync(at("var/lib/kubelet/config.yaml"));
  expect(serving("remove").status).toBe(0);
  expect(files()).toEqual([]);
});
