import { type Declared, known, type Problems } from "../resource";

const OVER_SSH: readonly string[] = [
  "command:remote:Command",
  "command:remote:CopyToRemote",
  "command:remote:CopyFile",
];

interface Login {
  readonly hostKey?: string;
  readonly proxy?: Login;
}

/** Every SSH connection names the key of its host, and of the bastion before it. */
export function* sshHostKeyPinned({ type, props }: Declared): Problems {
  if (!OVER_SSH.includes(type)) return;
  const connection = (props.connection ?? {}) as Login;
  if (!isPinned(connection))
    yield "connection.hostKey: is missing, so whatever host answers at that address gets the commands and what is on their stdin; give the host's public key, as in /etc/ssh/ssh_host_ed25519_key.pub";
  if (connection.proxy && !isPinned(connection.proxy))
    yield "connection.proxy.hostKey: is missing, so whatever host answers in the bastion's place is logged in to; give the bastion's public key, as in its /etc/ssh/ssh_host_ed25519_key.pub";
}

/** A host key that only an update will know is given all the same. */
const isPinned = (login: Login): boolean => known(() => Boolean(login.hostKey), true);
