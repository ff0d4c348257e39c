import type {
  CheckRequest,
  CreateRequest,
  DiffRequest,
  ExistingRequest,
  Package,
  Provider,
  Subject,
  UpdateRequest,
} from "../provider";
import { CopyToRemote } from "./copyToRemote";
import { RemoteCommand } from "./remoteCommand";

const commandType = "command:remote:Command";
const copyType = "command:remote:CopyToRemote";

/** remote.Command and remote.CopyToRemote of @pulumi/command 1.2.1, over ssh2. */
class CommandProvider implements Provider {
  constructor(private readonly resources: Readonly<Record<string, Provider>>) {}

  private of = ({ type }: Subject): Provider => this.resources[type];
  check = (request: CheckRequest) => this.of(request).check(request);
  diff = (request: DiffRequest) => this.of(request).diff(request);
  create = (request: CreateRequest) => this.of(request).create(request);
  update = (request: UpdateRequest) => this.of(request).update(request);
  read = (request: ExistingRequest) => this.of(request).read(request);
  delete = (request: ExistingRequest) => this.of(request).delete(request);
}

export const command: Package = {
  types: (type) => type === commandType || type === copyType,
  describeTypes: [commandType, copyType],
  configure: (_inputs, host) =>
    new CommandProvider({ [commandType]: new RemoteCommand(host), [copyType]: new CopyToRemote(host) }),
};
