import { unknownCheckingProxy } from "@pulumi/policy";
import type { Declared } from "../../../../policy/resource";

export const RBAC = "kubernetes:rbac.authorization.k8s.io/v1";

/** A resource as the SDK hands it to a policy. */
export const resourceOf = (type: string, props: object): Declared => ({ type, props: unknownCheckingProxy(props) });

/** The place of each problem that a rule finds, and `undecided` where the rule meets an unknown value. */
export function findPlaces(problems: () => Iterable<string>): string[] {
  const found: string[] = [];
  try {
    for (const problem of problems()) found.push(problem.split(": ")[0]);
  } catch (error) {
    if (!(error as Error).message.endsWith("can't be known during preview")) throw error;
    found.push("undecided");
  }
  return found;
}

export const base64 = (text: string) => Buffer.from(text).toString("base64");

/** The Secret of a bootstrap token: a valid one with these changes. */
export const tokenSecret = (values: object, type = "kubernetes:core/v1:Secret") =>
  resourceOf(type, {
    type: "bootstrap.kubernetes.io/token",
    stringData: {
      expiration: "2026-01-02T04:00:00Z",
      "usage-bootstrap-authentication": "true",
      "auth-extra-groups": "system:bootstrappers:worker",
      ...values,
    },
  });

export const group = (name: string) => ({ kind: "Group", name });
export const user = (name: string) => ({ kind: "User", name });
export const clusterRole = (name: string) => ({ kind: "ClusterRole", name });
