import { type Declared, readKnown, type Problems } from "../resource";

const OVER_SSH: readonly string[] = [
  "command:remote:Command",
  "command:remote:CopyToRemote",
  "command:remote:CopyFile",
];

interface Login {
  readonly hostKey?: string;
  readonly proxy?: Login;
}

/** Every SSH connection names the host key of its host, and that of its bastion. */
export function* sshHostKeyPinned({ type, props }: Declared): Problems {
  if (!OVER_SSH.includes(type)) return;
  const connection = (props.connection ?? {}) as Login;
  if (!isPinned(connection))
    yield "connection.hostKey: is missing, so any host that answers at this address gets the commands and their stdin; set it to the host's public key, from /etc/ssh/ssh_host_ed25519_key.pub";
  if (connection.proxy && !isPinned(connection.proxy))
    yield "connection.proxy.hostKey: is missing, so any host that answers in place of the bastion is trusted; set it to the bastion's public key, from /etc/ssh/ssh_host_ed25519_key.pub";
}

/** A host key that is unknown at preview counts as given. */
const isPinned = (login: Login): boolean => readKnown(() => Boolean(login.hostKey), true);
