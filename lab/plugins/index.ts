import { command } from "./command";
import { kubernetes } from "./kubernetes";
import { random } from "./random";
import type { Packages } from "./provider";
import { tls } from "./tls";

/** What the embedded engine performs. */
export const packages: Packages = { command, kubernetes, random, tls };
