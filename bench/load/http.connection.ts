import { connect, type Socket } from 'node:net';

/** What a benchmark needs to know of an answer. */
export interface Answer {
  readonly status: number;
  /** Seconds, when the header was there. */
  readonly retryAfter: number | undefined;
}

const END_OF_HEAD = '\r\n\r\n';
const END_OF_CHUNKS = '0\r\n\r\n';

/** Bytes of a POST, ready to be written at once. */
export function postRequest(url: URL, headers: Readonly<Record<string, string>>, body: Buffer): Buffer {
  const lines = Object.entries({ host: url.host, ...headers, 'content-length': String(body.length) });
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return Buffer.concat([Buffer.from(`POST ${url.pathname}${url.search} HTTP/1.1\r\n${head}\r\n`), body]);
}

/**
 * A keep-alive connection that sends requests as they were built and reads little more of an answer than its status:
 * the load must cost less than what it measures. One request at a time.
 */
export class HttpConnection {
  private socket: Socket | undefined;
  private received = '';
  private waiting: { resolve: (answer: Answer) => void; reject: (error: Error) => void } | undefined;

  constructor(private readonly url: URL) {}

  /** Sends the request and resolves to its answer; rejects when the connection is cut before that. */
  send(request: Buffer): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.waiting = { resolve, reject };
      (this.socket ??= this.open()).write(request);
    });
  }

  close(): void {
    this.socket?.destroy();
    this.socket = undefined;
  }

  private open(): Socket {
    const socket = connect(Number(this.url.port), this.url.hostname);
    socket.setNoDelay(true);
    let failure = new Error('the server closed the connection');
    socket.on('data', (chunk) => this.read(chunk));
    socket.on('error', (error) => (failure = error));
    socket.on('close', () => {
      if (this.socket === socket) this.socket = undefined;
      this.received = '';
      this.waiting?.reject(failure);
      this.waiting = undefined;
    });
    return socket;
  }

  private read(chunk: Buffer): void {
    this.received += chunk.toString('latin1');
    const headEnd = this.received.indexOf(END_OF_HEAD);
    if (headEnd < 0) return;
    const head = this.received.slice(0, headEnd).toLowerCase();
    const length = /\ncontent-length: *(\d+)/.exec(head)?.[1];
    if (head.includes('\ntransfer-encoding: chunked')) {
      if (!this.received.endsWith(END_OF_CHUNKS)) return;
    } else if (this.received.length < headEnd + END_OF_HEAD.length + Number(length ?? 0)) return;
    this.received = '';
    const retryAfter = /\nretry-after: *(\d+)/.exec(head)?.[1];
    // The next request would meet the closing.
    if (head.includes('\nconnection: close')) this.close();
    const { waiting } = this;
    this.waiting = undefined;
    waiting?.resolve({
      status: Number(head.slice(9, 12)),
      retryAfter: retryAfter === undefined ? undefined : Number(retryAfter),
    });
  }
}
