import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What the receiver got of one request. */
export interface Received {
  readonly at: number;
  readonly headers: IncomingMessage['headers'];
  readonly event: Record<string, unknown>;
}

/** Answers one request, counted from 0; without an answer the request hangs. */
export type Answer = (response: ServerResponse, call: number) => unknown;

/** A real HTTP receiver of feedback. */
export class FeedbackReceiver {
  readonly requests: Received[] = [];
  private readonly server = createServer((request, response) => void this.receive(request, response));
  private port = 0;

  constructor(public answer: Answer = (response) => response.writeHead(204).end()) {}

  /** Levels received, in order. */
  get levels(): unknown[] {
    return this.requests.map(({ event }) => event['level']);
  }

  /** Sizes received, in order: they tell events apart. */
  get sizes(): unknown[] {
    return this.requests.map(({ event }) => event['queue_size']);
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/hook?key=secret-key`;
  }

  /** Listens on a free port; the second time on the same one. */
  async open(): Promise<this> {
    this.server.listen(this.port, '127.0.0.1');
    await once(this.server, 'listening');
    this.port = (this.server.address() as AddressInfo).port;
    return this;
  }

  /** Refuses connections and cuts those that are open. */
  async close(): Promise<void> {
    if (!this.server.listening) return;
    const closed = once(this.server, 'close');
    this.server.close();
    this.server.closeAllConnections();
    await closed;
  }

  private async receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on('error', () => undefined);
    let body = '';
    try {
      for await (const chunk of request) body += String(chunk);
    } catch {
      return;
    }
    const call = this.requests.length;
    this.requests.push({
      at: performance.now(),
      headers: request.headers,
      event: JSON.parse(body) as Received['event'],
    });
    this.answer(response, call);
  }
}
