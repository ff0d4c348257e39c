/** Command line of `npm run release-notes -- v<version>`: prints the version's section of CHANGELOG.md. Fails when the tag does not fit. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { version } from "../../package.json";

/**
 * The text below the heading of a version.
 * @param tag such as v1.2.3
 * @param declared the version in package.json
 * @throws Error with what is wrong, and what to do
 */
export function releaseNotes(tag: string, declared: string, changelog: string): string {
  if (tag !== `v${declared}`)
    throw new Error(
      `the tag is '${tag}', but package.json has the version ${declared}: tag the commit that sets the version`,
    );
  const [, ...sections] = changelog.split(/^## /m);
  const section = sections.find((text) => text.split(/[ \n]/)[0] === declared);
  if (section === undefined) throw new Error(`CHANGELOG.md has no section '## ${declared}': write it`);
  const [heading, ...lines] = section.split("\n");
  if (!/^\S+ \(\d{4}-\d\d-\d\d\)$/.test(heading))
    throw new Error(`CHANGELOG.md: '## ${heading}' has no date: write '## ${declared} (YYYY-MM-DD)'`);
  return lines.join("\n").trim();
}

if (require.main === module) {
  try {
    console.log(releaseNotes(process.argv[2], version, readFileSync(resolve(__dirname, "../../CHANGELOG.md"), "utf8")));
  } catch (error) {
    console.error((error as Error).message);
    process.exitCode = 1;
  }
}
