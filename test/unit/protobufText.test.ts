import { Value } from "google-protobuf/google/protobuf/struct_pb";

const valueOf = (text: string) => {
  const value = new Value();
  value.setStringValue(text);
  return value;
};

/** Short and long; with characters of one to four bytes, a byte order mark, and lines. */
const TEXTS = [
  "",
  "a",
  "é",
  "\uFEFFa",
  ...["a", "é", "€", "😀", "\uFEFF", "\n"].map((text) => `${text}b`.repeat(3000)),
];

test("text is on the wire as google-protobuf writes it, and is read as it was", async () => {
  const untouched = TEXTS.map((text) => Buffer.from(valueOf(text).serializeBinary()).toString("hex"));
  await import("../../protobufText.js");
  const converted = TEXTS.map((text) => Buffer.from(valueOf(text).serializeBinary()).toString("hex"));
  expect(converted).toEqual(untouched);
  const read = untouched.map((hex) => Value.deserializeBinary(Buffer.from(hex, "hex")).getStringValue());
  expect(read).toEqual(TEXTS);
});
