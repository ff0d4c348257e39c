import { TestLab } from "./testLab";

export default async function teardown(): Promise<void> {
  await new TestLab().out("down");
}
