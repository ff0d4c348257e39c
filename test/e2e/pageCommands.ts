import { delimiter, dirname } from "node:path";
import { blocksOf } from "./pageBlocks";
import type { Run, TestLab } from "./testLab";

/** The commands of a page, in a shell whose `pulumi` and `kubectl` are those of a lab. */
export class PageCommands {
  constructor(
    readonly lab: TestLab,
    readonly page: string,
  ) {}

  /** Runs the one block that has these words. */
  async run(words: string, adapt: (commands: string) => string = (commands) => commands): Promise<Run> {
    const [block, ...others] = blocksOf(this.page, ["sh"]).filter(({ text }) => text.includes(words));
    expect([words, typeof block, others]).toEqual([words, "object", []]);
    const { kubectl, kubeconfig } = await this.lab.facts();
    const environment = `export KUBECONFIG='${kubeconfig}' PATH='${dirname(kubectl!)}'${delimiter}"$PATH"`;
    return this.lab.run("env", "--", "sh", "-ec", `${environment}\n${adapt(block.text)}`);
  }

  /** Runs the one block that has these words, which must succeed. Returns its output. */
  async out(...args: Parameters<PageCommands["run"]>): Promise<string> {
    const { status, stdout, stderr } = await this.run(...args);
    expect({ words: args[0], status, stderr: status === 0 ? "" : stderr }).toEqual({
      words: args[0],
      status: 0,
      stderr: "",
    });
    return stdout;
  }
}
