import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/**
 * Hands connections to the services in turn, and to the next one when one takes none, as a Kubernetes Service does. The
 * ports must be without services that are about to end: the kernel resets a connection that reaches one in the instant
 * in which it closes its port.
 */
export class Balancer {
  private turn = 0;
  private readonly sockets = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    /** Ports of the services, read for each connection: a restarted one has another. */
    private readonly ports: () => readonly number[],
  ) {
    server.on('connection', (client) => {
      client.pause();
      client.on('error', () => undefined);
      this.join(client, this.portsInTurn());
    });
  }

  static async start(ports: () => readonly number[]): Promise<Balancer> {
    const server = createServer({ allowHalfOpen: true });
    const balancer = new Balancer(server, ports);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return balancer;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
    await once(this.server, 'close');
  }

  /** Each once: were the turn taken again for a second try, another client could have moved it on to the same port. */
  private portsInTurn(): number[] {
    const ports = this.ports();
    const first = this.turn++ % Math.max(1, ports.length);
    return [...ports.slice(first), ...ports.slice(0, first)];
  }

  private join(client: Socket, [port, ...others]: readonly number[]): void {
    if (port === undefined) {
      client.destroy();
      return;
    }
    const service = connect({ host: '127.0.0.1', port, allowHalfOpen: true });
    service.once('error', () => this.join(client, others));
    service.once('connect', () => {
      service.removeAllListeners('error');
      for (const [from, to] of [
        [client, service],
        [service, client],
      ] as const) {
        this.sockets.add(from);
        // An end is passed on as an end, and a reset as a reset: what a client sees is what the service did.
        from.on('error', () => to.resetAndDestroy());
        from.on('close', () => this.sockets.delete(from));
        from.pipe(to);
      }
    });
  }
}
