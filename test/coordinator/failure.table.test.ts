import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, it } from '@jest/globals';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import pg from 'pg';
import { sqlstateOf } from '../../src/coordinator/failure.table.js';
import { classifyFailure, lookUpFailure } from '../../src/coordinator/index.js';
import { DatabaseTimeoutError } from '../../src/database/database.errors.js';
import { findBinaries } from '../../src/database/embedded/binaries.js';

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

/** PostgreSQL's own list, from which appendix A of its manual is made: classes with their codes. */
function classesOfPostgres(): Map<string, { code: string; name: string }[]> {
  const { packageDirectory } = findBinaries();
  const list = readFileSync(join(packageDirectory, 'native/share/postgresql/errcodes.txt'), 'utf8');
  const classes = new Map<string, { code: string; name: string }[]>();
  let own: { code: string; name: string }[] = [];
  for (const line of list.split('\n')) {
    const [, section] = /^Section: Class (..)/.exec(line) ?? [];
    if (section !== undefined) classes.set(section, (own = []));
    const [, code = '', name = ''] = /^([0-9A-Z]{5}) +[EWS] +ERRCODE_\w+(?: +(\w+))?/.exec(line) ?? [];
    if (code !== '') own.push({ code, name });
  }
  return classes;
}

describe('the table of SQLSTATEs', () => {
  const classes = classesOfPostgres();
  const codes = [...classes.values()].flat();

  it('decides every class and every code that PostgreSQL has', () => {
    expect(classes.size).toBeGreaterThanOrEqual(43);
    expect(codes.length).toBeGreaterThan(250);
    for (const [name, own] of classes) expect([name, own.length > 0]).toEqual([name, true]);
    const undecided = codes.filter(({ code }) => classifyFailure(coded(code)) === 'unknown');
    expect(undecided).toEqual([]);
  });

  it('blames the row for these classes only, and for no code of a state of the server', () => {
    const blamed = new Set(
      codes.filter(({ code }) => lookUpFailure(coded(code)).blamesRow).map(({ code }) => code.slice(0, 2)),
    );
    expect([...blamed].sort()).toEqual(['20', '22', '23', '44', 'P0']);
    const innocent = codes
      .filter(({ code }) => blamed.has(code.slice(0, 2)) && !lookUpFailure(coded(code)).blamesRow)
      .map(({ code }) => code);
    expect(innocent.sort()).toEqual(['2200H', '22P03', '22P04']);
  });

  it('knows codes by their names in the manual', () => {
    const names = new Map(codes.map(({ code, name }) => [code, name]));
    for (const code of ['2200H', '23505', '25P04', '42P01', '42P07', '55P03', '57014', '22P04'])
      expect(lookUpFailure(coded(code)).name).toBe(names.get(code));
  });
});

describe('the failure table', () => {
  it.each([
    ...['08000', '08003', '08006', '57P01', '57P02', '57P03', '53300', '53100', '53200', '53400', '25006'],
    ...['42501', '42P01', '42703', '3D000', '28000', '28P01', '58030', '54000', '54001', '08P01', '42601'],
    ...['42P07', '22P03', '22P04', '2200H', 'XX000', 'XX001', 'XX002'],
    ...['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'],
  ])('%s is unavailable', (code) => expect(classifyFailure(coded(code))).toBe('unavailable'));

  it.each(['40001', '40P01', '23505', '23503', '23P01', '26000', 'ERR_STREAM_PREMATURE_CLOSE'])(
    '%s is transient',
    (code) => expect(classifyFailure(coded(code))).toBe('transient'),
  );

  it.each(['55P03', '57014', '25P04', 'ETIMEDOUT'])('%s is a timeout', (code) =>
    expect(classifyFailure(coded(code))).toBe('timeout'),
  );

  it.each(['22003', '22P02', '23502', '23514', 'P0001', 'P0004'])('%s blames the row', (code) =>
    expect(lookUpFailure(coded(code))).toEqual({ class: 'data', name: `sqlstate_${code}`, blamesRow: true }),
  );

  it.each(['EACCES', 'EPERM', 'NOPE', 'MDS01', 'E1234'])('%s is unknown', (code) =>
    expect(lookUpFailure(coded(code))).toMatchObject({ class: 'unknown', blamesRow: false }),
  );

  it('takes anything else as unknown', () => {
    for (const error of [
      new TypeError('x is not a function'),
      new Error('ECONNREFUSED'),
      'text',
      null,
      undefined,
      7,
    ]) {
      expect(lookUpFailure(error)).toEqual({ class: 'unknown', name: 'unknown', blamesRow: false });
    }
  });

  it('names what it knows', () => {
    expect(lookUpFailure(coded('23505')).name).toBe('unique_violation');
    expect(lookUpFailure(coded('08006')).name).toBe('connection_exception');
    expect(lookUpFailure(coded('22003')).name).toBe('sqlstate_22003');
  });

  it('takes a code of one own, raised by a trigger, as about the row, and one of a known class as that class', () => {
    const raised = { severity: 'ERROR', routine: 'exec_stmt_raise' };
    for (const code of ['MDS01', 'E1234', '45000'])
      expect(lookUpFailure(coded(code, raised))).toMatchObject({ class: 'data', blamesRow: true });
    for (const code of ['54000', '53100', '57P03', 'XX002'])
      expect(lookUpFailure(coded(code, raised))).toMatchObject({ class: 'unavailable', blamesRow: false });
    expect(classifyFailure(coded('40001', raised))).toBe('transient');
    expect(sqlstateOf(coded('E1234', raised))).toBe('E1234');
    expect(sqlstateOf(coded('EPIPE'))).toBeUndefined();
  });

  it('tells the two uses of 23514 apart: a check that fails from a partition that is missing', () => {
    for (const routine of ['ExecFindPartition', 'ExecPartitionCheckEmitError'])
      expect(lookUpFailure(coded('23514', { routine }))).toMatchObject({
        class: 'unavailable',
        name: 'no_partition',
        blamesRow: false,
      });
    expect(lookUpFailure(coded('23514', { routine: 'ExecConstraints' })).blamesRow).toBe(true);
  });

  it('blames no row for what ended the session', () => {
    for (const severity of ['FATAL', 'PANIC'])
      expect(lookUpFailure(coded('22023', { severity }))).toMatchObject({
        class: 'unavailable',
        blamesRow: false,
      });
  });

  it('takes a missing socket as unavailable, and a missing file not', () => {
    expect(classifyFailure(coded('ENOENT', { syscall: 'connect' }))).toBe('unavailable');
    expect(classifyFailure(coded('ENOENT', { syscall: 'open' }))).toBe('unknown');
  });

  it('tells a write that took too long from a network that does not answer', () => {
    expect(classifyFailure(new DatabaseTimeoutError(1))).toBe('timeout');
    for (const syscall of ['connect', 'read', 'write'])
      expect(classifyFailure(coded('ETIMEDOUT', { syscall }))).toBe('unavailable');
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
    expect(classifyFailure(circle)).toBe('unknown');
  });

  it('lets the outermost known code decide', () => {
    expect(classifyFailure(coded('22003', { cause: coded('ECONNRESET') }))).toBe('data');
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
    expect([silent, ...cut].map(classifyFailure)).toEqual(['timeout', 'unavailable', 'unavailable']);
  });
});
