import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

import { Logger } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { ConnectionLimit } from '../../src/http/connection.limit.js';
import type { DirectAnswer, DirectRequest } from '../../src/http/direct.connection.js';
import { answerDirectly, type DirectServer } from '../../src/http/direct.server.js';
import { RequestHeadReader } from '../../src/http/request.head.js';
import { eventually } from '../support/eventually.js';
import { post, RawClient } from '../support/raw.client.js';

let server: Server;
let direct: DirectServer;
let url: string;
let clients: RawClient[];
/** What a direct request is answered with. */
let answer: (request: DirectRequest) => Promise<DirectAnswer>;
let closing: boolean;
let connections: ConnectionLimit;
let timed: number[];

beforeEach(async () => {
  clients = [];
  closing = false;
  timed = [];
  answer = ({ body }) => Promise.resolve({ status: 202, headers: {}, body: `direct ${body.toString()}` });
  await serve();
});

/** Starts the server; 16 clients may be connected at once, and one less be busy. */
async function serve(idleMs?: number): Promise<void> {
  connections = new ConnectionLimit(16);
  // Tells how a request came: Node's server answers `node <body>`, a direct connection `direct <body>`.
  server = createServer((request, response) => {
    if (request.url === '/slow') {
      setTimeout(() => response.end('slow'), 600);
      return;
    }
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      const text = `node ${request.method} ${Buffer.concat(pieces).length}`;
      if (closing) response.setHeader('connection', 'close');
      response.writeHead(200, { 'content-length': text.length });
      response.end(text);
    });
  });
  connections.watch(server);
  direct = answerDirectly(server, {
    heads: new RequestHeadReader('POST /bars HTTP/1.1'),
    connections,
    isKnown: (fields) => fields.get('authorization') !== 'nobody',
    answer: (request) => answer(request),
    cutShort: () => ({ status: 400, headers: {}, body: 'cut short' }),
    isClosing: () => closing,
    onAnswered: (seconds) => timed.push(seconds),
    ...(idleMs === undefined ? {} : { idleMs }),
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

afterEach(async () => {
  Logger.overrideLogger(['error']);
  for (const { socket } of clients) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
});

async function client(): Promise<RawClient> {
  const one = await RawClient.to(url);
  clients.push(one);
  return one;
}

/** Bodies of the answers that come for the pieces. */
async function bodies(count: number, ...pieces: readonly (string | Buffer)[]): Promise<string[]> {
  const one = await client();
  await one.send(...pieces);
  return (await one.answers(count)).map((text) => text.split('\r\n\r\n')[1] ?? '');
}

/** What is logged as an error from now on. */
function silenced(): { logged: unknown[] } {
  const logged: unknown[] = [];
  Logger.overrideLogger({
    log: () => undefined,
    warn: () => undefined,
    error: (one: unknown) => logged.push(one),
  });
  return { logged };
}

async function openConnections(): Promise<number> {
  return await promisify(server.getConnections.bind(server))();
}

const SMALL = post('/bars', {}, 'abc');

describe('a small request', () => {
  it('is answered without the server, one after the other on one connection', async () => {
    const one = await client();
    for (const body of ['a', 'bc', '']) {
      await one.send(post('/bars', { 'x-request-id': 'id-1' }, body));
      const [text = ''] = await one.answers();
      expect(text).toMatch(
        /^HTTP\/1\.1 202 Accepted\r\n(?:[\w-]+: .+\r\n){4}x-request-id: id-1\r\ncontent-length: \d\r\nDate: \w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT\r\nConnection: keep-alive\r\nKeep-Alive: timeout=72\r\n\r\n/,
      );
      expect(text.split('\r\n\r\n')[1]).toBe(`direct ${body}`);
    }
    expect(timed).toHaveLength(3);
  });

  it('may come with its body in a second piece', async () => {
    const [head, body] = [SMALL.subarray(0, -3), SMALL.subarray(-3)];
    expect(await bodies(2, head, body, head, body)).toEqual(['direct abc', 'direct abc']);
  });

  it('in more pieces goes to the server', async () => {
    for (const cuts of [[10], [-3, -2], [-2, -1], [10, 30, -2]]) {
      const starts = [0, ...cuts.map((cut) => (cut < 0 ? SMALL.length + cut : cut))];
      const pieces = starts.map((start, i) => SMALL.subarray(start, starts[i + 1] ?? SMALL.length));
      expect(await bodies(1, ...pieces)).toEqual(['node POST 3']);
    }
  });

  it('has its length told in bytes', async () => {
    answer = () => Promise.resolve({ status: 422, headers: {}, body: 'é€' });
    const one = await client();
    await one.send(SMALL);
    const [text] = await one.answers();
    expect(text).toMatch(/^HTTP\/1\.1 422 Unprocessable Entity\r\n[^]*content-length: 5\r\n[^]*\r\n\r\né€$/);
  });
});

describe('a request that is different', () => {
  it.each([
    ['another method', 'GET /bars HTTP/1.1\r\nhost: x\r\n\r\n', 'node GET 0'],
    ['another path', post('/bars?x=1', {}, 'abc'), 'node POST 3'],
    ['a body of another length', post('/bars', {}, 'x'.repeat(4_097)), 'node POST 4097'],
    ['a large body', post('/bars', {}, 'x'.repeat(500_000)), 'node POST 500000'],
    ['a body in chunks', chunked('abc'), 'node POST 3'],
    ['a field of other bytes', post('/bars', { 'x-note': 'é' }, 'abc'), 'node POST 3'],
    ['a field that came twice', post('/bars', { 'X-A': '1', 'x-a': '2' }, 'abc'), 'node POST 3'],
    ['a long head', post('/bars', { 'x-note': 'y'.repeat(5_000) }, 'abc'), 'node POST 3'],
  ])('goes to the server: %s', async (_what, bytes, body) => {
    expect(await bodies(1, bytes)).toEqual([body]);
    expect(timed).toEqual([]);
  });

  it('takes its connection with it, and what follows', async () => {
    const get = 'GET / HTTP/1.1\r\nhost: x\r\n\r\n';
    expect(await bodies(4, SMALL, get, SMALL, get)).toEqual([
      'direct abc',
      'node GET 0',
      'node POST 3',
      'node GET 0',
    ]);
  });

  it('may be two at once', async () => {
    expect(await bodies(3, Buffer.concat([SMALL, SMALL, SMALL]))).toEqual(Array(3).fill('node POST 3'));
  });
});

function chunked(body: string): string {
  return `POST /bars HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n${body.length}\r\n${body}\r\n0\r\n\r\n`;
}

describe('of as many connections as there may be', () => {
  /** So many connections, one after the other. */
  async function connect(count: number): Promise<RawClient[]> {
    const all: RawClient[] = [];
    for (let i = 0; i < count; i += 1) all.push(await client());
    return all;
  }

  it('a new one ends the one that has been idle longest', async () => {
    const [first, second, third] = await connect(16);
    await first?.send(SMALL);
    await first?.answers();
    await client();
    await second?.ended();
    await client();
    await third?.ended();
    expect(await openConnections()).toBe(16);
    await first?.send(SMALL);
    expect(await first?.answers()).toHaveLength(1);
  });

  it('none is ended that has a request under way, or the body of a known sender', async () => {
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    answer = async () => {
      await released;
      return { status: 202, headers: {}, body: 'kept' };
    };
    const [asking, half, ...others] = await connect(16);
    await asking?.send(SMALL);
    await half?.send(SMALL.subarray(0, -1));
    await connect(20);
    for (const one of others) await one.ended();
    await half?.send(SMALL.subarray(-1));
    release();
    for (const one of [asking, half]) expect((await one?.answers())?.[0]).toMatch(/kept$/);
  });

  it('one whose sender is not known is idle until its body has come', async () => {
    const one = await client();
    await one.send(post('/bars', { authorization: 'nobody' }, 'abc').subarray(0, -1));
    await connect(16);
    await one.ended();
  });

  it('the server has one that would be too many busy', async () => {
    answer = () => new Promise(() => undefined);
    for (const one of await connect(15)) await one.send(SMALL);
    expect(await bodies(1, SMALL)).toEqual(['node POST 3']);
    for (const { socket } of clients) socket.resetAndDestroy();
  });
});

describe('a client that does not wait', () => {
  it('gets its answers in order', async () => {
    let release = (): void => undefined;
    answer = async ({ body }) => {
      await new Promise<void>((resolve) => (release = resolve));
      return { status: 202, headers: {}, body: `direct ${body.toString()}` };
    };
    const one = await client();
    await one.send(SMALL, post('/bars', {}, 'second'), post('/bars', {}, 'third'));
    release();
    const texts = await one.answers(3);
    expect(texts.map((text) => text.split('\r\n\r\n')[1])).toEqual([
      'direct abc',
      'node POST 6',
      'node POST 5',
    ]);
  });

  it('is answered though it has ended its side', async () => {
    answer = async ({ body }) => {
      await sleep(30);
      return { status: 202, headers: {}, body: `direct ${body.toString()}` };
    };
    const one = await client();
    one.socket.end(SMALL);
    const [text] = await one.answers();
    expect(text).toContain('Connection: close');
    await one.ended();
  });

  it.each(['destroy', 'resetAndDestroy'] as const)('may hang up at any time (%s)', async (hangUp) => {
    for (const delayMs of [0, 60_000]) {
      let waitMs = 30;
      answer = async () => {
        await sleep(waitMs);
        return { status: 503, headers: {}, body: '', delayMs };
      };
      // While the answer is made, and while it is held up.
      for (waitMs of [30, 0]) {
        const one = await client();
        await one.send(SMALL);
        one.socket[hangUp]();
      }
    }
    await eventually('nothing is left of them', async () => (await openConnections()) === 0);
    answer = () => Promise.resolve({ status: 202, headers: {}, body: 'still there' });
    expect(await bodies(1, SMALL)).toEqual(['still there']);
  });

  it('is not answered on and on when it does not read', async () => {
    answer = () => Promise.resolve({ status: 202, headers: {}, body: 'x'.repeat(50_000) });
    const sockets: Socket[] = [];
    server.on('connection', (socket: Socket) => sockets.push(socket));
    const one = await client();
    one.socket.pause();
    await eventually('the server has the connection', () => sockets.length > 0);
    const [socket] = sockets;
    let most = 0;
    for (let i = 0; i < 1_000; i += 1) {
      await one.send(SMALL);
      most = Math.max(most, socket?.writableLength ?? 0);
    }
    // What the kernel does not take; the answer that filled it is the last.
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThan(200_000);
    one.socket.resume();
    await eventually('the server has taken it over', () => one.has('node POST 3'));
  });

  it('is let go when nothing comes from it, but not while the server answers it', async () => {
    server.close();
    await serve(300);
    const [idle, used, slow] = [await client(), await client(), await client()];
    await slow.send('GET /slow HTTP/1.1\r\nhost: x\r\n\r\n');
    await used.send(SMALL);
    await Promise.all([idle.ended(), used.ended()]);
    await eventually('the slow answer comes', () => slow.has('slow'));
  });

  it('is cut when its answer cannot be made', async () => {
    const { logged } = silenced();
    answer = () => Promise.reject(new Error('a bug'));
    const one = await client();
    await one.send(SMALL);
    await one.ended();
    expect(logged).toEqual([expect.objectContaining({ message: 'a bug' })]);
    answer = () => Promise.resolve({ status: 202, headers: {}, body: 'still there' });
    expect(await bodies(1, SMALL)).toEqual(['still there']);
  });

  it('is let go when it ends without a request, or in the middle of one', async () => {
    for (const bytes of ['', SMALL.subarray(0, -1), SMALL]) {
      const one = await client();
      if (bytes !== '') await one.send(bytes);
      one.socket.end();
      await one.ended();
    }
  });

  it('hears that its body is not whole when it ends in the middle of it', async () => {
    const one = await client();
    await one.send(SMALL.subarray(0, -1));
    one.socket.end();
    expect((await one.answers())[0]).toMatch(/^HTTP\/1\.1 400 [^]*Connection: close\r\n\r\ncut short$/);
    await one.ended();
  });
});

describe('the end of the server', () => {
  /** Closes it as the service does; resolves when it has no connection left. */
  async function close(): Promise<void> {
    closing = true;
    direct.close();
    await new Promise((resolve) => server.close(resolve));
  }

  it('ends connections that are idle', async () => {
    const [fresh, used] = [await client(), await client()];
    await used.send(SMALL);
    await used.answers();
    await close();
    await Promise.all([fresh.ended(), used.ended()]);
  });

  it('waits for the answers that are due, and sends at once those that were to wait', async () => {
    answer = async () => {
      await sleep(50);
      return { status: 202, headers: {}, body: 'last' };
    };
    const one = await client();
    await one.send(SMALL);
    answer = () => Promise.resolve({ status: 503, headers: {}, body: 'later', delayMs: 60_000 });
    const other = await client();
    await other.send(SMALL);
    await close();
    for (const [asked, body] of [
      [one, 'last'],
      [other, 'later'],
    ] as const) {
      const [text] = await asked.answers();
      expect(text).toContain('Connection: close\r\n');
      expect(text?.endsWith(body)).toBe(true);
      await asked.ended();
    }
  });

  it('lets the server have a request that is half there', async () => {
    const one = await client();
    await one.send(SMALL.subarray(0, -1));
    const closed = close();
    await one.send(SMALL.subarray(-1));
    expect((await one.answers())[0]).toContain('node POST 3');
    await closed;
  });
});
