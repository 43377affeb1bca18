import { Agent, request } from 'node:http';

import { AUTHORIZATION, type Answer } from './service.process.js';

/** A client that keeps its one connection for as long as the service lets it. */
export class KeepAliveClient {
  private readonly agent = new Agent({ keepAlive: true, maxSockets: 1 });
  /** Connections that it had to make. */
  connections = 0;
  /** Requests that were sent and got no answer, a sentence each. */
  readonly unanswered: string[] = [];

  constructor(private readonly port: number) {}

  /** Posts NDJSON; undefined when there was no answer. */
  async post(body: string): Promise<Answer | undefined> {
    try {
      return await this.send(body);
    } catch (error) {
      this.unanswered.push(String(error));
      return undefined;
    }
  }

  /** Closes the connection. */
  end(): void {
    this.agent.destroy();
  }

  private send(body: string): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const sent = request({
        agent: this.agent,
        host: '127.0.0.1',
        port: this.port,
        method: 'POST',
        path: '/v1/bars',
        headers: {
          ...AUTHORIZATION,
          'content-type': 'application/x-ndjson',
          'content-length': Buffer.byteLength(body),
        },
      });
      sent.on('socket', () => {
        if (!sent.reusedSocket) this.connections++;
      });
      sent.on('error', (error) =>
        reject(new Error(`${error.message}${sent.reusedSocket ? ' on a connection used before' : ''}`)),
      );
      sent.on('response', (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => (text += chunk));
        response.on('error', reject);
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            retryAfter: response.headers['retry-after'] ?? null,
            text,
          }),
        );
      });
      sent.end(body);
    });
  }
}
