import type { TestLab } from "./testLab";

/** The kubelet's client certificate and key. */
export const CLIENT_CERTIFICATE = "/var/lib/kubelet/pki/kubelet-client-current.pem";

/** Expects that no unit, file, key or container of ours is left on a worker. */
export async function expectBare(lab: TestLab, name: string): Promise<void> {
  const places = [
    "/etc/kubernetes",
    "/etc/tls-bootstrap",
    "/etc/systemd/system/kubelet.service",
    "/etc/systemd/system/multi-user.target.wants/kubelet.service",
    "/etc/systemd/system/tls-bootstrap-*",
    "/etc/systemd/system/timers.target.wants/tls-bootstrap-*",
    "/etc/sysctl.d/90-tls-bootstrap.conf",
    "/etc/modules-load.d/tls-bootstrap.conf",
    "/opt/kubernetes",
    "/usr/local/bin/kubelet",
    "/usr/local/bin/kubectl",
    "/.kube",
    "/opt/tls-bootstrap/scripts",
    "/var/lib/kubelet",
    "/var/lib/tls-bootstrap",
  ];
  expect(await lab.shell(name, `ls -d ${places.join(" ")} 2>/dev/null || true`)).toBe("");
  expect(await lab.shell(name, "pgrep -a kubelet || true")).toBe("");
  expect(await lab.shell(name, "ctr -n k8s.io tasks list -q")).toBe("");
  expect(await lab.shell(name, "systemctl list-units --all --no-legend 'kubelet*' 'tls-bootstrap*'")).toBe("");
}
