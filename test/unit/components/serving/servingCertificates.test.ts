import * as pulumi from "@pulumi/pulumi";
import { approverFlags } from "../../../../components/serving/csrApprover";
import { servingPatterns } from "../../../../components/serving/servingPattern";
import { CA } from "../../fixtures";
import { COMMAND, declareTlsBootstrap, ONE_WORKER } from "../oneWorker";
import { type Program, unboxed, valueOf } from "../program";

const SIGNED = "tls:index/locallySignedCert:LocallySignedCert";

const kubeletFiles = (program: Program) => program.find(COMMAND, "t-worker-1-kubelet").inputs.stdin as string;

describe("issued", () => {
  it("signs the worker's request with a CA of the stack's own, for a server and for nothing else", async () => {
    const { program, result } = await declareTlsBootstrap();
    const ca = program.find("tls:index/selfSignedCert:SelfSignedCert", "t-serving-ca").inputs;
    expect(ca).toMatchObject({ isCaCertificate: true, allowedUses: ["cert_signing", "digital_signature"] });
    const { inputs } = program.find(SIGNED, "t-worker-1-serving-certificate");
    expect(inputs.allowedUses).toEqual(["digital_signature", "server_auth"]);
    expect(inputs.isCaCertificate).toBeFalsy();
    expect(inputs.certRequestPem).toContain("-----BEGIN CERTIFICATE REQUEST-----\n");
    expect(inputs.caCertPem).toBe("CERTIFICATE OF THE SERVING CA");
    expect(unboxed(inputs.caPrivateKeyPem)).toContain("PRIVATE KEY");
    expect(await valueOf(result.servingCa)).toBe("CERTIFICATE OF THE SERVING CA");
  });

  it("renews while there is time, and the CA before any of its certificates could outlive it", async () => {
    const { program } = await declareTlsBootstrap();
    const certificate = program.find(SIGNED, "t-worker-1-serving-certificate").inputs;
    const ca = program.find("tls:index/selfSignedCert:SelfSignedCert", "t-serving-ca").inputs;
    expect(certificate.earlyRenewalHours).toBeLessThan(certificate.validityPeriodHours);
    expect(ca.earlyRenewalHours).toBeGreaterThan(certificate.validityPeriodHours);
    expect(ca.earlyRenewalHours).toBeLessThan(ca.validityPeriodHours);
  });

  it("signs anew for another machine, name or address, and not because a request was printed again", async () => {
    const { program } = await declareTlsBootstrap();
    const { replacementTrigger, ignoreChanges } = program.optionsOf(SIGNED, "t-worker-1-serving-certificate");
    expect(ignoreChanges).toEqual(["certRequestPem"]);
    expect(await valueOf(pulumi.output(replacementTrigger as pulumi.Input<string>))).toBe(
      "t-worker-1-host-id worker-1 10.0.1.11",
    );
  });

  it("brings the certificate to the worker before the kubelet is told of it, and its text stays out of the kubelet's files", async () => {
    const { program } = await declareTlsBootstrap();
    expect(program.find(COMMAND, "t-worker-1-serving").inputs.stdin).toBe("SERVING CERTIFICATE");
    expect(kubeletFiles(program)).toContain("tlsCertFile: /etc/kubernetes/pki/kubelet-serving.crt\n");
    expect(kubeletFiles(program)).not.toContain("SERVING CERTIFICATE");
    const { dependsOn } = program.optionsOf(COMMAND, "t-worker-1-kubelet");
    const [first] = [dependsOn].flat() as pulumi.Resource[];
    expect(await valueOf(first.urn)).toContain("::t-worker-1-serving");
  });

  it("signs with the CA that it is given, whose key is a secret", async () => {
    const ca = { certificate: CA, key: pulumi.output("KEY OF THE CLUSTER'S CA") };
    const { program, result } = await declareTlsBootstrap({ servingCertificates: { ca } });
    const { inputs } = program.find(SIGNED, "t-worker-1-serving-certificate");
    expect([inputs.caCertPem, unboxed(inputs.caPrivateKeyPem)]).toEqual([CA, "KEY OF THE CLUSTER'S CA"]);
    expect(await valueOf(result.servingCa)).toBe(CA);
    expect(program.listing().filter((line) => line.includes("serving-ca"))).toEqual([]);
  });
});

describe.each(["approver", "manual"] as const)("%s", (mode) => {
  it("has the kubelet ask the cluster, and issues nothing", async () => {
    const { program, result } = await declareTlsBootstrap({ servingCertificates: { mode } });
    expect(kubeletFiles(program)).toContain("\nserverTLSBootstrap: true\n");
    expect(kubeletFiles(program)).not.toContain("tlsCertFile");
    expect(program.listing().filter((line) => /LocallySigned|serving-ca|Command .*-serving$/.test(line))).toEqual([]);
    expect(await valueOf(result.servingCa)).toBeUndefined();
  });
});

const POLICY = "kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicy";

describe("the policy for serving certificates", () => {
  const listed = async (mode: "issued" | "manual") => {
    const { program } = await declareTlsBootstrap({ servingCertificates: { mode } });
    const { variables, failurePolicy } = program.find(POLICY, "t-test-worker-serving").inputs.spec;
    expect(failurePolicy).toBe("Fail");
    return variables.find(({ name }: { name: string }) => name === "nodes0").expression as string;
  };

  it("lets declared nodes ask for what is declared, with a line for each", async () => {
    const [{ head, tailFrom, tail }] = servingPatterns("worker-1", { dns: ["worker-1"], ips: ["10.0.1.11"] });
    expect(await listed("manual")).toBe(
      `{\n  "system:node:worker-1": ["${head} ${tailFrom} ${tail}"], // 10.0.1.11\n}`,
    );
  });

  it("lets them ask for nothing when their certificates are issued", async () =>
    expect(await listed("issued")).toBe('[\n  "system:node:worker-1",\n]'));

  it("is in force before a kubelet asks, also without a join policy", async () => {
    const { program } = await declareTlsBootstrap({ joinPolicy: "off" });
    const parts = program.options[`${COMMAND} t-worker-1-join`].dependsOn as pulumi.Resource[];
    const urns = await Promise.all(parts.map(({ urn }) => valueOf(urn)));
    expect(urns.filter((urn) => urn.endsWith("tls-bootstrap:index:ServingPolicy::t-test"))).toHaveLength(1);
  });
});

describe("the approver", () => {
  it("knows the inventory and asks nobody else, and denies nothing", () =>
    expect(
      approverFlags([
        { name: "worker-2.example.com", address: "fd00::12" },
        { name: "worker-1", address: "10.0.1.11" },
      ]),
    ).toEqual([
      "-provider-regex=^(worker-1|worker-2[.]example[.]com)$",
      "-provider-ip-prefixes=10.0.1.11/32,fd00::12/128",
      "-bypass-dns-resolution=true",
      "-skip-deny-step=true",
      "-metrics-bind-address=0",
    ]));

  it("is of an image that is pinned by its digest, or the one that is given", async () => {
    const image = async (given?: string) => {
      const { program } = await declareTlsBootstrap({ servingCertificates: { mode: "approver", image: given } });
      const { spec } = program.find("kubernetes:apps/v1:Deployment", "t-test-csr-approver").inputs;
      return spec.template.spec.containers[0].image as string;
    };
    expect(await image()).toMatch(/^ghcr.io\/postfinance\/kubelet-csr-approver:v1\.\d+\.\d+@sha256:[0-9a-f]{64}$/);
    expect(await image("mirror.example.com/approver:v1")).toBe("mirror.example.com/approver:v1");
  });

  it("may approve serving certificates, and no others", async () => {
    const { program } = await declareTlsBootstrap({ servingCertificates: { mode: "approver" } });
    const { rules } = program.find("kubernetes:rbac.authorization.k8s.io/v1:ClusterRole", "t-test-csr-approver").inputs;
    expect(rules.filter(({ verbs }: { verbs: string[] }) => verbs.includes("approve"))).toEqual([
      {
        apiGroups: ["certificates.k8s.io"],
        resources: ["signers"],
        resourceNames: ["kubernetes.io/kubelet-serving"],
        verbs: ["approve"],
      },
    ]);
  });
});

it("settings that say otherwise are refused", async () => {
  const pools = [{ ...ONE_WORKER.pools[0], kubelet: { serverTLSBootstrap: true } }];
  const servingCertificates = { image: "a/b:1", ca: { certificate: CA, key: "K" } };
  await expect(declareTlsBootstrap({ pools, servingCertificates })).rejects.toThrow(
    [
      "TlsBootstrap 't': 3 problems",
      "  servingCertificates.ca.key: cannot be read as a PEM private key without a passphrase (-----BEGIN EC PRIVATE KEY----- …)",
      "  servingCertificates.image: 'a/b:1' is the approver's image, which only the mode 'approver' uses",
      "  pools[0].kubelet.serverTLSBootstrap: cannot be true: it follows from servingCertificates.mode, which is 'issued'; with 'approver' and 'manual' kubelets ask the cluster",
    ].join("\n"),
  );
});
