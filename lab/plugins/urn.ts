/** The type of the resource that a URN identifies: `urn:pulumi:<stack>::<project>::<parent type>$<type>::<name>`. */
export function typeOfUrn(urn: string): string {
  return (urn.split("::")[2] ?? "").split("$").pop() ?? "";
}

export function nameOfUrn(urn: string): string {
  return urn.split("::").slice(3).join("::");
}
