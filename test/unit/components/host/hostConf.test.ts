import { spawnSync } from "node:child_process";
import { renderConf } from "../../../../components/host/hostConf";

it("renders variables that a shell reads back unchanged", () => {
  const values = { A: "plain", B: "it's $HOME `id`", C: "two\nlines" };
  const shell = spawnSync("sh", ["-c", `${renderConf(values)}printf '%s|%s|%s' "$A" "$B" "$C"`], {
    encoding: "utf8",
  });
  expect(shell.stdout).toBe("plain|it's $HOME `id`|two\nlines");
});
