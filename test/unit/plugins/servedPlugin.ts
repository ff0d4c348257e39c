import type { ProviderPlugin } from "../../../lab/plugins/provider";
import { serveResources } from "../../../lab/plugins/server";
import { FakeEngine } from "../../fakeEngine";
import { Plugin } from "../../pluginClient";
import { type Json } from "../../protocolValues";

/** A plugin that the test's own process serves. */
export class ServedPlugin {
  private constructor(
    readonly plugin: Plugin,
    readonly engine: FakeEngine,
    private readonly shutdown: () => void,
  ) {}

  static async start(pkg: ProviderPlugin, config: Json = {}): Promise<ServedPlugin> {
    const engine = await new FakeEngine().start();
    const { server, port } = await serveResources(pkg, engine.address);
    const plugin = new Plugin(pkg.name, port);
    await plugin.configure(config);
    return new ServedPlugin(plugin, engine, () => server.forceShutdown());
  }

  async stop(): Promise<void> {
    await this.plugin.stop();
    this.shutdown();
    this.engine.stop();
  }
}
