import { randomBytes } from "node:crypto";
import { equal, isObject, plain, type Props, type Value } from "../values";
import type { CheckFailure, Created, CreateRequest, UpdateRequest } from "../provider";
import { keepIgnored, RemoteResource, required } from "./remoteResource";
import { copy } from "./ssh";

/** remote.CopyToRemote, of a file. */
export class CopyToRemote extends RemoteResource {
  /** The same file from elsewhere. */
  protected override readonly indifferent = ["source.path"];

  protected failures(news: Props): CheckFailure[] {
    return ["source", "remotePath"].filter((key) => news[key] === undefined).map(required);
  }

  async create({ urn, inputs, preview }: CreateRequest): Promise<Created> {
    if (!preview) await this.copy(urn, inputs);
    return { id: preview ? "" : randomBytes(4).toString("hex"), outputs: inputs };
  }

  async update({ urn, inputs, oldInputs, ignoreChanges, preview }: UpdateRequest) {
    const news = keepIgnored(inputs, oldInputs, ignoreChanges);
    const isSame =
      equal(hashOf(news.source), hashOf(oldInputs.source)) &&
      equal(news.remotePath ?? null, oldInputs.remotePath ?? null);
    if (!preview && !isSame) await this.copy(urn, news);
    return { outputs: news };
  }

  /** What was copied stays. */
  delete(): Promise<void> {
    return Promise.resolve();
  }

  private copy(urn: string, props: Props): Promise<void> {
    const { path } = plain(props.source ?? {}) as { path: string };
    return this.connected(urn, props, (client) => copy(client, path, plain(props.remotePath ?? null) as string));
  }
}

function hashOf(asset: Value | undefined): Value {
  const file = plain(asset ?? null);
  return isObject(file) ? (file.hash ?? null) : null;
}
