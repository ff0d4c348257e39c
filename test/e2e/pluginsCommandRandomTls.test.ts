/**
 * The contract of the plugins command, random and tls.
 *
 * @independent
 */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Plugin } from "../pluginClient";
import { isSecret, type Json, secret, UNKNOWN, unwrapSecrets } from "../protocolValues";
import { describePlugin, engine, lab, start } from "./pluginContract";

describePlugin("command", () => {
  const which = { type: "command:remote:Command", name: "c" };
  let plugin: Plugin;
  let connection: Json;

  beforeAll(async () => {
    plugin = await start("command");
    const { ssh, workers } = await lab.facts();
    const [{ address }] = workers;
    const known = readFileSync(ssh.knownHostsFile, "utf8").split("\n");
    const hostKey = known
      .find((line) => line.split(" ")[0].split(",").includes(address))!
      .split(" ")
      .slice(1, 3);
    const privateKey = readFileSync(ssh.privateKeyFile, "utf8");
    connection = { host: address, user: ssh.user, privateKey, hostKey: hostKey.join(" "), dialErrorLimit: 3 };
  });
  const news = (inputs: Json): Json => ({ connection, addPreviousOutputInEnv: false, ...inputs });

  test("creates, updates and deletes over SSH", async () => {
    const file = "/tmp/plugin-contract";
    const inputs = { create: `tee ${file}; echo oops >&2`, stdin: "one\ntwo\n", delete: `cat ${file}; rm ${file}` };
    const made = await plugin.make(which, news(inputs));
    expect(made.id).toMatch(/^c[0-9a-f]{8}$/);
    expect(made.outputs).toMatchObject({ stdout: "one\ntwo", stderr: "oops" });
    expect(isSecret(made.outputs.connection)).toBe(true);
    expect((await plugin.diff(which, made, made.inputs)).changes).toBe(false);
    expect(engine.status().sort()).toEqual(["one", "oops", "two"]);

    const changed = (await plugin.check(which, news({ ...inputs, update: `cat ${file}` }), made.inputs)).inputs;
    expect((await plugin.diff(which, made, changed)).detailed).toEqual({ update: "add" });
    const updated = await plugin.update(which, made, changed);
    expect(updated.outputs.stdout).toBe("one\ntwo");
    expect((await plugin.read(which, updated))?.outputs).toMatchObject({ stdout: "one\ntwo" });
    await plugin.delete(which, updated);
    await expect(plugin.delete(which, updated)).rejects.toThrow(/No such file/); // its command runs again, and fails
  });

  test("reports a failing command with status, command and output, but without stdin", async () => {
    const failing = plugin.make(which, news({ create: "echo out; echo err >&2; exit 3", stdin: secret("hush-hush") }));
    await expect(failing).rejects.toThrow(/Process exited with status 3: running "echo out; echo err >&2; exit 3":\n/);
    await expect(failing).rejects.toThrow(/out\n/);
    await expect(failing).rejects.not.toThrow(/hush/);
  });

  test("a preview opens no connection, and an unknown input makes the outputs unknown", async () => {
    const nowhere = { ...connection, host: "127.0.0.1", port: 1 };
    const inputs = { connection: nowhere, create: "echo", stdin: UNKNOWN };
    const made = await plugin.make(which, inputs, { preview: true });
    expect(made.outputs).toMatchObject({ stdout: UNKNOWN, stdin: UNKNOWN });
  });

  // The components tell these errors apart.
  test.each([
    [
      "another host key",
      { hostKey: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMD70DqivXbQUSfY/+9eovddXFbuJtgtxzNJAHWWO3Xr" },
      /^after 0 failed attempts: ssh: handshake failed: ssh: host key mismatch$/,
    ],
    [
      "a host key of a type that the host does not have",
      {
        hostKey:
          "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBO5x7zYRzcpMHaTLTRl5YfZpYd89n1CpIkiGmkS2OAdLIreeOZdqPXhMmfdxNJuXVPz7XWeqw7YGclK5jmb+TW4=",
      },
      /^after 0 failed attempts: ssh: handshake failed: ssh: no common algorithm for host key/,
    ],
    [
      "another user",
      { user: "nobody" },
      /^after 0 failed attempts: ssh: handshake failed: ssh: unable to authenticate, /,
    ],
    ["a closed port", { port: 1 }, /^after 0 failed attempts: dial tcp [\d.]+:1: connect: connection refused$/],
  ])("reports %s", async (_, difference, message) => {
    const wrong = { ...connection, ...difference, dialErrorLimit: 0 };
    await expect(plugin.make(which, news({ connection: wrong, create: "true" }))).rejects.toThrow(message);
  });

  test("requires a connection, and refuses unknown properties", async () => {
    expect((await plugin.check(which, { create: "true" })).failures).not.toEqual([]);
    const typo = await plugin.check(which, { connection: { host: "h", privatKey: "x" }, create: "true" });
    expect(typo.failures).not.toEqual([]);
  });

  test("cancel ends the dialing", async () => {
    const other = await start("command");
    const { inputs } = await other.check(which, {
      connection: { ...connection, host: "127.0.0.1", port: 1, dialErrorLimit: -1 },
      create: "true",
    });
    const dialing = expect(other.create(which, inputs)).rejects.toThrow(/cancell?ed/);
    while (engine.status().length === 0) await new Promise((resume) => setTimeout(resume, 20));
    await other.cancel();
    await dialing;
  });
});

describePlugin("random", () => {
  const string = { type: "random:index/randomString:RandomString" };
  const password = { type: "random:index/randomPassword:RandomPassword" };
  let plugin: Plugin;
  beforeAll(async () => (plugin = await start("random")));

  test("creates a string once, and another one for other keepers", async () => {
    const made = await plugin.make(string, { length: 12, special: false, keepers: { a: "1" } });
    expect(made.outputs.result).toMatch(/^[A-Za-z0-9]{12}$/);
    expect(made.id).toBe(made.outputs.result);
    expect((await plugin.diff(string, made, made.inputs)).changes).toBe(false);
    expect((await plugin.read(string, made))?.outputs.result).toBe(made.outputs.result);
    const { inputs } = await plugin.check(string, { ...made.inputs, keepers: { a: "2" } }, made.inputs);
    const diff = await plugin.diff(string, made, inputs);
    expect(diff.changes).toBe(true);
    expect(diff.replaces.length).toBeGreaterThan(0);
    await plugin.delete(string, made);
  });

  test("a password is secret, and a preview does not know it", async () => {
    const made = await plugin.make(password, { length: 16 });
    expect(isSecret(made.outputs.result)).toBe(true);
    expect(made.id).toBe("none");
    const preview = await plugin.make(password, { length: 16 }, { preview: true });
    expect(unwrapSecrets(preview.outputs.result)).toBe(UNKNOWN);
  });
});

describePlugin("tls", () => {
  const privateKey = { type: "tls:index/privateKey:PrivateKey" };
  const selfSigned = { type: "tls:index/selfSignedCert:SelfSignedCert" };
  let plugin: Plugin;
  beforeAll(async () => (plugin = await start("tls")));

  test("a certificate is replaced when it is due for renewal, without a refresh", async () => {
    const key = await plugin.make(privateKey, { algorithm: "ECDSA", ecdsaCurve: "P256" });
    expect(isSecret(key.outputs.privateKeyPem)).toBe(true);
    const news = {
      ...{ privateKeyPem: key.outputs.privateKeyPem, subject: { commonName: "ca" }, allowedUses: ["cert_signing"] },
      ...{ validityPeriodHours: 48, earlyRenewalHours: 24 },
    };
    const made = await plugin.make(selfSigned, news);
    expect(made.outputs).toMatchObject({ readyForRenewal: false, validityEndTime: expect.stringMatching(/^\d{4}-/) });
    expect((await plugin.diff(selfSigned, made, made.inputs)).changes).toBe(false);
    const soon = new Date(Date.now() + 23 * 3_600_000).toISOString().replace(/\.\d+Z$/, "Z");
    const aged = { ...made, outputs: { ...made.outputs, validityEndTime: soon } };
    expect((await plugin.diff(selfSigned, aged, made.inputs)).replaces).toContain("readyForRenewal");
    expect((await plugin.read(selfSigned, aged))?.outputs.readyForRenewal).toBe(true);
    const plainKey = await plugin.check(selfSigned, { ...news, privateKeyPem: unwrapSecrets(news.privateKeyPem) });
    expect(isSecret(plainKey.inputs.privateKeyPem)).toBe(true);
    const { inputs } = await plugin.check(selfSigned, { ...news, subject: { commonName: "x" } }, made.inputs);
    expect((await plugin.diff(selfSigned, made, inputs)).replaces.length).toBeGreaterThan(0);
    const shorter = (await plugin.check(selfSigned, { ...news, earlyRenewalHours: 12 }, made.inputs)).inputs;
    const inPlace = await plugin.diff(selfSigned, made, shorter);
    expect(inPlace).toMatchObject({ changes: true, replaces: [] });
  });

  test("an authority signs the names of a request", async () => {
    const [request, signed] = ["certRequest:CertRequest", "locallySignedCert:LocallySignedCert"].map((type) => ({
      type: `tls:index/${type}`,
    }));
    const makeKey = async () =>
      (await plugin.make(privateKey, { algorithm: "ECDSA", ecdsaCurve: "P256" })).outputs.privateKeyPem;
    const [caKey, key] = [await makeKey(), await makeKey()];
    const common = { validityPeriodHours: 48, allowedUses: ["cert_signing"] };
    const ca = { ...common, privateKeyPem: caKey, subject: { commonName: "ca" }, isCaCertificate: true };
    const { certPem } = (await plugin.make(selfSigned, ca)).outputs;
    const asked = {
      ...{ privateKeyPem: key, subject: { commonName: "etcd", organization: "org" } },
      ...{ dnsNames: ["a.example.org"], ipAddresses: ["10.0.0.1"] },
    };
    const made = await plugin.make(request, asked);
    expect(isSecret(made.inputs.privateKeyPem)).toBe(true);
    expect((await plugin.diff(request, made, made.inputs)).changes).toBe(false);
    const { inputs } = await plugin.check(request, { ...asked, ipAddresses: ["10.0.0.2"] }, made.inputs);
    expect((await plugin.diff(request, made, inputs)).replaces.length).toBeGreaterThan(0);
    const names = { certRequestPem: made.outputs.certRequestPem, caCertPem: certPem, caPrivateKeyPem: caKey };
    const { outputs } = await plugin.make(signed, { ...common, ...names, allowedUses: ["server_auth", "client_auth"] });
    const certificate = new X509Certificate(outputs.certPem);
    expect(certificate.subject).toBe("O=org\nCN=etcd");
    expect(certificate.subjectAltName).toBe("DNS:a.example.org, IP Address:10.0.0.1");
    expect(certificate.checkPrivateKey(createPrivateKey(unwrapSecrets(key)))).toBe(true);
    expect(certificate.verify(new X509Certificate(certPem).publicKey)).toBe(true);
  });

  test("a key is unknown in a preview", async () => {
    const { outputs } = await plugin.make(privateKey, { algorithm: "ED25519" }, { preview: true });
    expect(unwrapSecrets(outputs.privateKeyPem)).toBe(UNKNOWN);
  });
});
