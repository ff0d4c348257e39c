/**
 * Makes google-protobuf, with which the SDK talks to the engine, convert long text as a whole. It converts text character by character, through a
 * list with one number for each byte: 9 ms and a megabyte for the input of one host. Import this module before anything is sent.
 */
import { BinaryReader, BinaryWriter } from "google-protobuf";

/** From this length on, it is faster. */
const LONG = 1024;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

type WriteString = (this: BinaryWriter, field: number, value?: string) => void;
const { writeString } = BinaryWriter.prototype as { writeString: WriteString };

BinaryWriter.prototype.writeString = function (field, value) {
  if (value && value.length >= LONG) this.writeBytes(field, encoder.encode(value));
  else writeString.call(this, field, value);
};

BinaryReader.prototype.readString = function () {
  return decoder.decode(this.readBytes());
};
