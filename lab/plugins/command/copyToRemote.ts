import { randomBytes } from "node:crypto";
import { same } from "../diff";
import { plain, reveal, Unknown, type Props } from "../values";
import { isAsset } from "../wire";
import type { CheckFailure, Created, CreateRequest, UpdateRequest } from "../provider";
import { mustBe, RemoteResource, required, ssh } from "./remoteResource";

/** remote.CopyToRemote, of a file. */
export class CopyToRemote extends RemoteResource {
  protected failures({ source, ...news }: Props): CheckFailure[] {
    const missing = ["remotePath"].filter((key) => news[key] === undefined).map(required);
    if (source === undefined) return [required("source"), ...missing];
    const file = reveal(source);
    const isFile = isAsset(file) && typeof file.path === "string";
    return isFile || file instanceof Unknown ? missing : [...missing, mustBe("source", "a file asset")];
  }

  async create({ inputs, preview, ...request }: CreateRequest): Promise<Created> {
    if (!preview) await this.copy(request, inputs);
    return { id: preview ? "" : randomBytes(4).toString("hex"), outputs: inputs };
  }

  async update({ inputs: news, oldInputs, preview, ...request }: UpdateRequest) {
    const copied = ({ source = null, remotePath = null }: Props): Props => ({ source, remotePath });
    const isSame = same(copied(oldInputs), copied(news));
    if (!preview && !isSame) await this.copy(request, news);
    return { outputs: news };
  }

  /** What was copied stays. */
  delete(): Promise<void> {
    return Promise.resolve();
  }

  private copy(request: { urn: string; timeout?: number }, props: Props): Promise<void> {
    const { path } = plain(props.source ?? {}) as { path: string };
    return this.connected(request, props, (client) =>
      ssh().copy(client, path, plain(props.remotePath ?? null) as string),
    );
  }
}
