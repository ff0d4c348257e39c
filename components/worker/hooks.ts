import * as pulumi from "@pulumi/pulumi";

/** Whether resources can have hooks. The monitor of Pulumi's mocks does not know them. */
export const hooksAreKnown = (): boolean => "registerResourceHook" in pulumi.runtime.getMonitor()!;
