import * as pulumi from "@pulumi/pulumi";
import { approverFlags } from "../../../../components/serving/csrApprover";
import { CA } from "../../fixtures";
import { COMMAND, declareTlsBootstrap, ONE_WORKER } from "../oneWorker";
import { type Program, unboxed, valueOf } from "../program";

const SIGNED = "tls:index/locallySignedCert:LocallySignedCert";

const kubeletFiles = (program: Program) => program.find(COMMAND, "t-worker-1-kubelet").inputs.stdin as string;

describe("serving certificates that the stack issues", () => {
  it("are signed by the stack's own CA, for servers only", async () => {
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

  it("are renewed before they expire, and the CA before a certificate could outlive it", async () => {
    const { program } = await declareTlsBootstrap();
    const certificate = program.find(SIGNED, "t-worker-1-serving-certificate").inputs;
    const ca = program.find("tls:index/selfSignedCert:SelfSignedCert", "t-serving-ca").inputs;
    expect(certificate.earlyRenewalHours).toBeLessThan(certificate.validityPeriodHours);
    expect(ca.earlyRenewalHours).toBeGreaterThan(certificate.validityPeriodHours);
    expect(ca.earlyRenewalHours).toBeLessThan(ca.validityPeriodHours);
  });

  it("are replaced for another machine, name or address, but not for a new request alone", async () => {
    const { program } = await declareTlsBootstrap();
    const { replacementTrigger, ignoreChanges } = program.optionsOf(SIGNED, "t-worker-1-serving-certificate");
    expect(ignoreChanges).toEqual(["certRequestPem"]);
    expect(await valueOf(pulumi.output(replacementTrigger as pulumi.Input<string>))).toBe(
      "t-worker-1-host-id worker-1 10.0.1.11",
    );
  });

  it("reach the worker before the kubelet's files that name them, in a command of their own", async () => {
    const { program } = await declareTlsBootstrap();
    expect(program.find(COMMAND, "t-worker-1-serving").inputs.stdin).toBe("SERVING CERTIFICATE");
    expect(kubeletFiles(program)).toContain("tlsCertFile: /etc/kubernetes/pki/kubelet-serving.crt\n");
    expect(kubeletFiles(program)).not.toContain("SERVING CERTIFICATE");
    const { dependsOn } = program.optionsOf(COMMAND, "t-worker-1-kubelet");
    const urns = await Promise.all(([dependsOn].flat() as pulumi.Resource[]).map(({ urn }) => valueOf(urn)));
    expect(urns).toContainEqual(expect.stringMatching(/::t-worker-1-serving$/));
  });

  it("can be signed by a given CA, whose key stays secret", async () => {
    const ca = { certificate: CA, key: pulumi.output("KEY OF THE CLUSTER'S CA") };
    const { program, result } = await declareTlsBootstrap({ servingCertificates: { ca } });
    const { inputs } = program.find(SIGNED, "t-worker-1-serving-certificate");
    expect([inputs.caCertPem, unboxed(inputs.caPrivateKeyPem)]).toEqual([CA, "KEY OF THE CLUSTER'S CA"]);
    expect(await valueOf(result.servingCa)).toBe(CA);
    expect(program.listing().filter((line) => line.includes("serving-ca"))).toEqual([]);
  });
});

describe.each(["approver", "manual"] as const)("serving certificates in the mode %s", (mode) => {
  it("are requested from the cluster, and the stack issues none", async () => {
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

  it("lets each declared node request its declared name and address only", async () => {
    expect(await listed("manual")).toBe('{\n  "system:node:worker-1": "DNS:worker-1, IP:10.0.1.11",\n}');
  });

  it("lets declared nodes request nothing when the stack issues their certificates", async () =>
    expect(await listed("issued")).toBe('[\n  "system:node:worker-1",\n]'));

  it("is declared before a node joins, also without a join policy", async () => {
    const { program } = await declareTlsBootstrap({ joinPolicy: "off" });
    const parts = program.options[`${COMMAND} t-worker-1-join`].dependsOn as pulumi.Resource[];
    const urns = await Promise.all(parts.map(({ urn }) => valueOf(urn)));
    expect(urns.filter((urn) => urn.endsWith("tls-bootstrap:index:ServingPolicy::t-test"))).toHaveLength(1);
  });
});

describe("the approver", () => {
  it("approves the declared workers without asking DNS, and denies nothing", () =>
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

  it("approves for the machines of groups by prefix and range", () =>
    expect(
      approverFlags(
        [{ name: "worker-1", address: "10.0.1.11" }],
        [{ name: "burst", namePrefix: "burst.a-", addresses: ["10.0.9.0/24", "fd00:9::/64"] }],
      ).slice(0, 2),
    ).toEqual([
      "-provider-regex=^(worker-1|burst[.]a-[a-z0-9.-]+)$",
      "-provider-ip-prefixes=10.0.1.11/32,10.0.9.0/24,fd00:9::/64",
    ]));

  it("runs an image that is pinned by digest, or the configured one", async () => {
    const image = async (given?: string) => {
      const { program } = await declareTlsBootstrap({ servingCertificates: { mode: "approver", image: given } });
      const { spec } = program.find("kubernetes:apps/v1:Deployment", "t-test-csr-approver").inputs;
      return spec.template.spec.containers[0].image as string;
    };
    expect(await image()).toMatch(/^ghcr.io\/postfinance\/kubelet-csr-approver:v1\.\d+\.\d+@sha256:[0-9a-f]{64}$/);
    expect(await image("mirror.example.com/approver:v1")).toBe("mirror.example.com/approver:v1");
  });

  it("may approve kubelet serving certificates only", async () => {
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

it("refuses settings that contradict the mode", async () => {
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
