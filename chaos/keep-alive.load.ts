import { Balancer } from './balancer.js';
import { BarKeys } from './bar.keys.js';
import { KeepAliveClient } from './keep-alive.client.js';
import type { Stage } from './stage.js';

/** Clients that keep their connections and send bars of their own through a balancer, to whichever replica is there. */
export class KeepAliveLoad {
  private constructor(
    private readonly stage: Stage,
    private readonly balancer: Balancer,
    private readonly clients: readonly KeepAliveClient[],
  ) {}

  /** Begins the load of the stage, whose replicas serve. Each of `count` clients is a provider: `provider` and its number. */
  static async start(stage: Stage, provider: string, count: number): Promise<KeepAliveLoad> {
    const { replicas, load } = stage;
    const balancer = await Balancer.start(() =>
      replicas
        .filter(({ service }) => service.takesConnections)
        .map(({ service }) => Number(new URL(service.url).port)),
    );
    const clients = Array.from({ length: count }, () => new KeepAliveClient(balancer.port));
    clients.forEach((client, index) => {
      const keys = new BarKeys({ provider: `${provider}${index}` });
      load.add({ keys, post: async (body) => (await client.post(body)) ?? 'cut' });
    });
    load.start();
    return new KeepAliveLoad(stage, balancer, clients);
  }

  /** Requests that got no answer, a sentence each. */
  get unanswered(): readonly string[] {
    return this.clients.flatMap((client) => client.unanswered);
  }

  /** Connections that the clients had to make. */
  get connections(): number {
    return this.clients.reduce((sum, client) => sum + client.connections, 0);
  }

  /** Resolves when nothing is under way any more. */
  async stop(): Promise<void> {
    await this.stage.load.stop();
    for (const client of this.clients) client.end();
    await this.balancer.stop();
    // The clients do not count which replica took their rows.
    for (const replica of this.stage.replicas) replica.acceptedTwice = true;
  }
}
