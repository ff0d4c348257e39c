import { createHash } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";

/** Longest scope. A scope is part of object names and the value of a label, which has at most 63 characters. */
const LONGEST = 40;

/**
 * What tells the objects of one stack from those of another on the same cluster: project and stack, and the component's name unless it is the project's. It is a
 * DNS label. A text that has to be changed for that gets a hash.
 */
export function scopeOf(component: string, project = pulumi.getProject(), stack = pulumi.getStack()): string {
  const text = [project, stack, ...(component === project ? [] : [component])].join("-");
  const label = text
    .toLowerCase()
    .replace(/[^a-z0-9-]/g, "-")
    .replace(/^-+|-+$/g, "");
  if (label === text && label.length <= LONGEST) return label;
  const hash = createHash("sha256").update(text).digest("hex").slice(0, 8);
  return `${label.slice(0, LONGEST - hash.length - 1)}-${hash}`;
}
