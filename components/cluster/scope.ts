import { createHash } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";

/** Longest scope. Object names and labels have room for more words: a label value has at most 63 characters. */
const LONGEST = 40;

/**
 * Prefix of the names of a stack's objects in the cluster, so that several stacks can share one cluster. It has the project and the stack, and the component's name unless
 * that is the project's name. The result is a DNS label of at most 40 characters. A text that is no such label gets a hash.
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
