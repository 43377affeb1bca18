import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

import { FrontendReader, type FrontendMessage } from './frontend.reader.js';

/**
 * Where in a write its connection is cut. `copy-data`: in the middle of a message of rows. `copy-done`: the server
 * has taken all rows of a COPY and said so, and nobody hears it. `commit`: the same of a COMMIT.
 */
export type CutPoint = 'copy-data' | 'copy-done' | 'commit';

/** First byte of CommandComplete (manual, "Message Formats"): what was asked for is done. */
const COMMAND_COMPLETE = 'C'.charCodeAt(0);

interface Cut {
  readonly point: CutPoint;
  done(): void;
}

/** A way to PostgreSQL that can be cut, also between two given messages of its protocol. */
export class PostgresProxy {
  private readonly links = new Set<readonly [Socket, Socket]>();
  private closed = false;
  private next: Cut | undefined;

  private constructor(
    private readonly server: Server,
    private readonly target: { readonly host: string; readonly port: number },
  ) {
    server.on('connection', (client) => this.join(client));
  }

  static async start(target: { readonly host: string; readonly port: number }): Promise<PostgresProxy> {
    const server = createServer();
    const proxy = new PostgresProxy(server, target);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** Ends every connection now, in the middle of whatever it carries. */
  cut(): void {
    for (const link of this.links) for (const socket of link) socket.destroy();
  }

  /** Ends the next connection that comes to this point. @throws when none does within the time */
  async cutAt(point: CutPoint, withinMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        this.next = { point, done: resolve };
        timer = setTimeout(
          () => reject(new Error(`no connection came to ${point} in ${withinMs} ms`)),
          withinMs,
        );
      });
    } finally {
      clearTimeout(timer);
      this.next = undefined;
    }
  }

  /** While closed, connections are refused at once. */
  setClosed(closed: boolean): void {
    this.closed = closed;
    if (closed) this.cut();
  }

  async stop(): Promise<void> {
    this.setClosed(true);
    this.server.close();
    await once(this.server, 'close');
  }

  private join(client: Socket): void {
    if (this.closed) {
      client.destroy();
      return;
    }
    const server = connect(this.target);
    const link = [client, server] as const;
    this.links.add(link);
    for (const socket of link) {
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.links.delete(link);
        client.destroy();
        server.destroy();
      });
    }
    this.carry(client, server);
  }

  private carry(client: Socket, server: Socket): void {
    const reader = new FrontendReader();
    /** The point whose answer is on its way. */
    let answerTo: CutPoint | undefined;
    const cutHere = (): void => {
      const cut = this.next;
      this.next = undefined;
      client.destroy();
      server.destroy();
      cut?.done();
    };
    client.on('data', (chunk: Buffer) => {
      const messages = reader.read(chunk);
      const rows = this.next?.point === 'copy-data' && messages.find(({ type }) => type === 'd');
      if (rows) {
        // The part that is sent is on its way before the end of the connection is.
        server.write(chunk.subarray(0, (rows.start + rows.end) >> 1), cutHere);
        return;
      }
      const last = messages.at(-1);
      answerTo = last && pointOf(last);
      pass(client, server, chunk);
    });
    server.on('data', (chunk: Buffer) => {
      if (answerTo !== undefined && this.next?.point === answerTo && chunk[0] === COMMAND_COMPLETE) cutHere();
      else pass(server, client, chunk);
      answerTo = undefined;
    });
    client.on('end', () => server.end());
    server.on('end', () => client.end());
  }
}

function pointOf({ type, text, complete }: FrontendMessage): CutPoint | undefined {
  if (!complete) return undefined;
  if (type === 'c') return 'copy-done';
  return type === 'Q' && text === 'COMMIT' ? 'commit' : undefined;
}

function pass(from: Socket, to: Socket, chunk: Buffer): void {
  if (to.write(chunk)) return;
  from.pause();
  to.once('drain', () => from.resume());
}
