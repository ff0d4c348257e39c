/** What a recorded preview is about, the name of its file, and the lines of its summary. */
export type SummaryCase = readonly [what: string, file: string, lines: readonly string[]];
