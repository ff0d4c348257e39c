import { releaseNotes } from "../../../tools/release/releaseNotes";

const CHANGELOG = `# Changelog

## 1.10.0 (2026-03-01)

- the newest

## 1.1.0 (2026-02-01)

- a middle one
- with two lines

## 1.0.0 (unreleased)

- the first
`;

it("are the section of the version", () => {
  expect(releaseNotes("v1.1.0", "1.1.0", CHANGELOG)).toBe("- a middle one\n- with two lines");
  expect(releaseNotes("v1.10.0", "1.10.0", CHANGELOG)).toBe("- the newest");
});

it.each([
  ["v1.1.1", "1.1.0", "the tag is 'v1.1.1', but package.json has the version 1.1.0"],
  ["v2.0.0", "2.0.0", "CHANGELOG.md has no section '## 2.0.0'"],
  ["v1.0.0", "1.0.0", "CHANGELOG.md: '## 1.0.0 (unreleased)' has no date"],
])("of the tag %s are refused when package.json has %s", (tag, version, problem) =>
  expect(() => releaseNotes(tag, version, CHANGELOG)).toThrow(problem),
);
