import { describe, expect, it } from '@jest/globals';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import pg from 'pg';
import { classifyFailure, lookUpFailure } from '../../src/coordinator/index.js';

const coded = (code: string, more: object = {}) => Object.assign(new Error('message'), { code, ...more });

/** A pool of one connection to a server that treats each socket as told. */
async function withPool<R>(
  onSocket: (socket: Socket) => void,
  use: (pool: pg.Pool) => Promise<R>,
): Promise<R> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    onSocket(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const pool = new pg.Pool({
    max: 1,
    host: '127.0.0.1',
    port,
    user: 'u',
    database: 'd',
    connectionTimeoutMillis: 100,
  });
  try {
    return await use(pool);
  } finally {
    if (!pool.ended) await pool.end();
    for (const socket of sockets) socket.destroy();
    server.close();
  }
}

const errorOf = (promise: Promise<unknown>) => promise.catch((error: unknown) => error);

const pgErrorFrom = (onSocket: (socket: Socket) => void) =>
  withPool(onSocket, (pool) => errorOf(pool.connect()));

describe('the failure table', () => {
  it.each([
    ...['08000', '08003', '08006', '57P01', '57P02', '57P03', '53300', '53100', '53200', '53400', '25006'],
    ...['42501', '42P01', '42703', '3D000', '28000', '28P01', '58030'],
    ...['22P03', '22P04', 'XX000', 'XX001', 'XX002'],
    ...[
      'ECONNREFUSED',
      'ECONNRESET',
      'EPIPE',
      'ETIMEDOUT',
      'ENOTFOUND',
      'EAI_AGAIN',
      'EHOSTUNREACH',
      'ENETUNREACH',
    ],
  ])('%s is unavailable', (code) => expect(classifyFailure(coded(code))).toBe('unavailable'));

  it.each(['40001', '40P01', '55P03', '57014', '23505', '42P07', 'ERR_STREAM_PREMATURE_CLOSE'])(
    '%s is transient',
    (code) => expect(classifyFailure(coded(code))).toBe('transient'),
  );

  it.each(['22003', '22P02', '23502', '23514', '42601', '54000', '08P01', 'EACCES', 'EPERM', 'NOPE'])(
    '%s is permanent',
    (code) => expect(classifyFailure(coded(code))).toBe('permanent'),
  );

  it('takes anything else as permanent: a bug will fail again', () => {
    for (const error of [
      new TypeError('x is not a function'),
      new Error('ECONNREFUSED'),
      'text',
      null,
      undefined,
      7,
    ]) {
      expect(lookUpFailure(error)).toEqual({ class: 'permanent', name: 'unknown' });
    }
  });

  it('names what it knows', () => {
    expect(lookUpFailure(coded('23505')).name).toBe('unique_violation');
    expect(lookUpFailure(coded('08006')).name).toBe('connection_exception');
    expect(lookUpFailure(coded('22003')).name).toBe('sqlstate_22003');
  });

  it('tells the two uses of 08P01 apart: a malformed field from a pooler without a server', () => {
    expect(classifyFailure(coded('08P01', { severity: 'ERROR' }))).toBe('permanent');
    expect(classifyFailure(coded('08P01', { severity: 'FATAL' }))).toBe('unavailable');
  });

  it('takes a missing socket as unavailable, and a missing file not', () => {
    expect(classifyFailure(coded('ENOENT', { syscall: 'connect' }))).toBe('unavailable');
    expect(classifyFailure(coded('ENOENT', { syscall: 'open' }))).toBe('permanent');
  });

  it('looks through causes and aggregates, and survives a circle', () => {
    expect(
      classifyFailure(new Error('outer', { cause: new Error('middle', { cause: coded('40001') }) })),
    ).toBe('transient');
    expect(classifyFailure(new AggregateError([new Error('unknown'), coded('ECONNREFUSED')]))).toBe(
      'unavailable',
    );
    const circle = new Error('circle');
    circle.cause = new AggregateError([circle]);
    expect(classifyFailure(circle)).toBe('permanent');
  });

  it('lets the outermost known code decide', () => {
    expect(classifyFailure(coded('22003', { cause: coded('ECONNRESET') }))).toBe('permanent');
  });
});

describe('errors as Node and pg really throw them', () => {
  it('knows a refused connection to one address and to a host of two', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    for (const host of ['127.0.0.1', 'localhost']) {
      const error = await new Promise((resolve) => connect({ host, port }).once('error', resolve));
      expect(classifyFailure(error)).toBe('unavailable');
    }
  });

  it('knows a server that hangs up', async () => {
    const error = await pgErrorFrom((socket) => socket.once('data', () => socket.end()));
    expect(error).toMatchObject({ message: 'Connection terminated unexpectedly' });
    expect(classifyFailure(error)).toBe('unavailable');
  });

  it('knows a server that resets the connection', async () => {
    expect(
      classifyFailure(await pgErrorFrom((socket) => socket.once('data', () => socket.resetAndDestroy()))),
    ).toBe('unavailable');
  });

  it('knows a server that never answers', async () => {
    const error = await pgErrorFrom(() => undefined);
    expect(error).toMatchObject({ message: 'Connection terminated due to connection timeout' });
    expect(classifyFailure(error)).toBe('unavailable');
  });

  it('knows a pool that has no connection to give, and one that was ended', async () => {
    await withPool(
      () => undefined,
      async (pool) => {
        const [, queued] = await Promise.all([errorOf(pool.connect()), errorOf(pool.connect())]);
        expect(queued).toMatchObject({ message: 'timeout exceeded when trying to connect' });
        expect(classifyFailure(queued)).toBe('unavailable');
        await pool.end();
        expect(classifyFailure(await errorOf(pool.connect()))).toBe('unavailable');
      },
    );
  });

  it('knows a query that is never answered, and a connection that goes during one', async () => {
    const ready = Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 0, 0x5a, 0, 0, 0, 5, 0x49]);
    const greet = (socket: Socket) => socket.once('data', () => socket.write(ready));
    const silent = await withPool(greet, async (pool) => {
      const client = await pool.connect();
      const error = await errorOf(client.query({ text: 'select', query_timeout: 20 } as pg.QueryConfig));
      client.release(true);
      return error;
    });
    expect(silent).toMatchObject({ message: 'Query read timeout' });
    const cut = await withPool(
      (socket) => {
        greet(socket);
        setTimeout(() => socket.end(), 30);
      },
      async (pool) => {
        const client = await pool.connect();
        client.on('error', () => undefined);
        const errors = [await errorOf(client.query('select')), await errorOf(client.query('select'))];
        client.release(true);
        return errors;
      },
    );
    expect([silent, ...cut].map(classifyFailure)).toEqual(['unavailable', 'unavailable', 'unavailable']);
  });
});
