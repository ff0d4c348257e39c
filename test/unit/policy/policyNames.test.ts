import * as theirs from "../../../components/cluster/names";
import * as ours from "../../../policy/policyNames";

it("the policy pack uses the same names as the module", () => {
  expect(ours.TOKEN_SECRET_TYPE).toBe(theirs.TOKEN_SECRET_TYPE);
  expect(ours.BOOTSTRAPPERS_GROUP).toBe(theirs.BOOTSTRAPPERS_GROUP);
  expect(ours.NODES_GROUP).toBe(theirs.NODES_GROUP);
  expect(ours.BOOTSTRAPPING_ROLES).toEqual(Object.values(theirs.CLUSTER_ROLES));
  expect(theirs.CLUSTER_INFO).toMatchObject(ours.CLUSTER_INFO);
});
