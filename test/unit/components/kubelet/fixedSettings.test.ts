import { fixedSettingChecks } from "../../../../components/kubelet/fixedSettings";

describe("fixedSettingChecks", () => {
  it.each([
    [{ authentication: { anonymous: { enabled: true } } }, "at.authentication.anonymous.enabled"],
    [{ authorization: { mode: "AlwaysAllow" } }, "at.authorization.mode"],
    [{ readOnlyPort: 10255 }, "at.readOnlyPort"],
    [{ rotateCertificates: false }, "at.rotateCertificates"],
    [{ authentication: { x509: { clientCAFile: "/tmp/ca" } } }, "at.authentication.x509.clientCAFile"],
    [{ kind: "Pod" }, "at.kind"],
  ])("refuses %j", (settings, where) =>
    expect(fixedSettingChecks("at", settings).flatMap(([at, problem]) => (problem ? [at] : []))).toEqual([where]),
  );
  it("accepts other settings, and fixed settings with their own value", () =>
    expect(
      fixedSettingChecks("at", { maxPods: 5, readOnlyPort: 0, authorization: { mode: "Webhook" } }).filter(
        ([, problem]) => problem,
      ),
    ).toEqual([]));
});
