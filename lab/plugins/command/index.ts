import type { Package, Provider } from "../provider";
import { CopyToRemote } from "./copyToRemote";
import { RemoteCommand } from "./remoteCommand";

const [commandType, copyType] = ["command:remote:Command", "command:remote:CopyToRemote"];

/** remote.Command and remote.CopyToRemote of @pulumi/command 1.2.1, over ssh2. */
export const command: Package = {
  name: "command",
  types: [commandType, copyType],
  configure: (_config, host) => {
    const providers: Record<string, Provider> = {
      [commandType]: new RemoteCommand(host),
      [copyType]: new CopyToRemote(host),
    };
    return (type) => providers[type];
  },
};
