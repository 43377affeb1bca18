import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** Bytes of a POST; a `content-length` is added unless the headers have one. */
export function post(path: string, headers: Readonly<Record<string, string>>, body = ''): Buffer {
  const all = { host: 'store', 'content-length': String(Buffer.byteLength(body)), ...headers };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  const head = Buffer.from(`POST ${path} HTTP/1.1\r\n${lines.join('')}\r\n`, 'latin1');
  return Buffer.concat([head, Buffer.from(body)]);
}

/** A client that says exactly which bytes it sends, and when. */
export class RawClient {
  /** Bytes that were not given yet, as Latin-1. */
  private received = '';

  private constructor(readonly socket: Socket) {
    socket.setNoDelay(true);
    socket.on('data', (chunk) => (this.received += chunk.toString('latin1')));
    socket.on('error', () => undefined);
  }

  static async to(url: string): Promise<RawClient> {
    const { hostname, port } = new URL(url);
    const client = new RawClient(connect({ host: hostname, port: Number(port), allowHalfOpen: true }));
    await once(client.socket, 'connect');
    return client;
  }

  /** Sends the pieces one after the other, each on its own. */
  async send(...pieces: readonly (string | Buffer)[]): Promise<void> {
    for (const piece of pieces) {
      this.socket.write(piece);
      await sleep(5);
    }
  }

  /** Waits for so many answers more and gives them; each ends as its length says. */
  async answers(count = 1): Promise<string[]> {
    const answers: string[] = [];
    for (const end = Date.now() + 10_000; answers.length < count;) {
      const next = firstAnswer(this.received);
      if (next !== undefined) {
        answers.push(Buffer.from(next, 'latin1').toString());
        this.received = this.received.slice(next.length);
      } else if (Date.now() > end || this.socket.readableEnded || this.socket.destroyed) {
        throw new Error(`no answer but ${JSON.stringify(this.received)}`);
      } else await sleep(2);
    }
    return answers;
  }

  /** All that came and was not given yet, as Latin-1. */
  rest(): string {
    return this.received;
  }

  /** Whether the text came. */
  has(text: string): boolean {
    return this.received.includes(text);
  }

  /** Resolves when the server has ended the connection. */
  async ended(): Promise<void> {
    if (!this.socket.readableEnded) await once(this.socket, 'end');
  }
}

function firstAnswer(text: string): string | undefined {
  const [head, ...rest] = text.split('\r\n\r\n');
  const length = /\ncontent-length: (\d+)/i.exec(head ?? '')?.[1];
  const body = rest.join('\r\n\r\n');
  if (head === undefined || length === undefined || body.length < Number(length)) return undefined;
  return text.slice(0, head.length + 4 + Number(length));
}
