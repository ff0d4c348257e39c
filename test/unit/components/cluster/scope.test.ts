import { scopeOf } from "../../../../components/cluster/scope";

it.each([
  ["tls-bootstrap", "tls-bootstrap", "prod", "tls-bootstrap-prod"],
  ["nodes", "platform", "prod", "platform-prod-nodes"],
])("component %s of project %s and stack %s has the scope %s", (component, project, stack, scope) =>
  expect(scopeOf(component, project, stack)).toBe(scope),
);

it.each([
  ["upper case", "Prod"],
  ["a dot", "prod.eu"],
  ["many characters", "p".repeat(60)],
  ["a trailing dash", "prod-"],
])("a stack name with %s becomes a unique DNS label", (_, stack) => {
  const scope = scopeOf("tls-bootstrap", "tls-bootstrap", stack);
  expect(scope).toMatch(/^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])$/);
  expect(scope).not.toBe(
    scopeOf("tls-bootstrap", "tls-bootstrap", stack.toLowerCase().replace(".", "-").slice(0, 40).replace(/-$/, "")),
  );
});
