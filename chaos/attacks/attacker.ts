/**
 * A program that attacks one service in every way that is known, all at once, until it is ended. Its argument is the
 * AttackTarget as JSON. It tells its parent what it did so far.
 */
import { Agent, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';

import type { AttackCount, AttackTarget } from './attack.target.js';

const MIB = 1024 ** 2;
const { port, tokens } = JSON.parse(process.argv[2] ?? '') as AttackTarget;
/**
 * Node accepts one connection in each turn of its event loop, and keeps a probe waiting behind those that came before it.
 * What is tried here is what connections do, not how many can be opened in one moment.
 */
const BETWEEN_CONNECTIONS_MS = 2;
const PIECE = Buffer.alloc(64 * 1024, ' ');
const ANNOUNCED = 'Content-Length: 66060288';

const done = { connections: 0, answers: 0 } satisfies AttackCount;
setInterval(() => process.send?.(done), 500);

/** Opens a connection and sends a head on it; the connection may die at any time. */
function open(target: string, token?: string, ...fields: readonly string[]): Socket {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.resume();
  const authorization = token === undefined ? [] : [`Authorization: Bearer ${token}`];
  const lines = [`${target} HTTP/1.1`, 'Host: x', ...authorization, ...fields, '', ''];
  socket.write(lines.join('\r\n'));
  return socket;
}

/** Does something again and again, on so many connections at once, each of which lasts until it is closed or `ms` passed. */
function keepOpen(connections: number, ms: number, make: () => Socket): void {
  const again = async (): Promise<void> => {
    for (;;) {
      const socket = make().once('connect', () => (done.connections += 1));
      await Promise.race([new Promise((resolve) => socket.once('close', resolve)), sleep(ms)]);
      socket.destroy();
      await sleep(20);
    }
  };
  const begin = async (): Promise<void> => {
    for (let i = 0; i < connections; i++) {
      void again();
      await sleep(BETWEEN_CONNECTIONS_MS);
    }
  };
  void begin();
}

/** Sends a body for as long as it is taken. */
function pour(socket: Socket, piece = PIECE): Socket {
  const more = (): void => {
    while (!socket.destroyed && socket.write(piece));
  };
  socket.on('drain', more);
  more();
  return socket;
}

const agent = new Agent({ keepAlive: true, maxSockets: 64 });

/** Sends a whole request; resolves when it was answered, or broke. */
function ask(
  method: string,
  path: string,
  token: string,
  body = Buffer.alloc(0),
  fields = {},
): Promise<void> {
  return new Promise((resolve) => {
    const headers = { authorization: `Bearer ${token}`, 'content-length': body.length, ...fields };
    const sent = request({ agent, host: '127.0.0.1', port, method, path, headers }, (answer) => {
      answer.resume();
      answer.on('close', () => {
        done.answers += 1;
        resolve();
      });
    });
    sent.on('error', () => resolve());
    sent.end(body);
  });
}

/** Asks again and again, `at once` at a time. */
function keepAsking(atOnce: number, pauseMs: number, make: () => Promise<void>): void {
  const again = async (): Promise<void> => {
    for (;;) {
      await make();
      await sleep(pauseMs);
    }
  };
  for (let i = 0; i < atOnce; i++) void again();
}

const JSON_TYPE = 'Content-Type: application/json';
const CSV_TYPE = 'Content-Type: text/csv';
const json = (value: unknown) => Buffer.from(JSON.stringify(value));
const asJson = { 'content-type': 'application/json' };

/** Bodies without a token, and of tokens that may not send any. */
function sendWhereNothingIsTaken(): void {
  keepOpen(20, 10_000, () => pour(open('OPTIONS /v1/bars', undefined, ANNOUNCED)));
  keepOpen(10, 10_000, () => pour(open('POST /v1/bars', 'nobodys-token', ANNOUNCED)));
  keepOpen(10, 10_000, () => open('POST /v1/feedback', tokens.read, JSON_TYPE, ANNOUNCED));
  keepOpen(10, 10_000, () => open('PUT /nothing', tokens.read, JSON_TYPE, 'Transfer-Encoding: chunked'));
}

/** Bodies of a token that may send bars: announced, then silent, or trickling behind 62 MiB. */
function holdRoom(): void {
  keepOpen(50, 60_000, () => open('POST /v1/bars', tokens.attacker, CSV_TYPE, ANNOUNCED));
  keepOpen(6, 60_000, () => {
    const socket = open('POST /v1/bars', tokens.attacker, CSV_TYPE, ANNOUNCED);
    for (let sent = 0; sent < 62; sent++) socket.write(Buffer.alloc(MIB, ' '));
    const trickle = setInterval(() => socket.write(Buffer.alloc(1_100, ' ')), 1_000);
    socket.once('close', () => clearInterval(trickle));
    return socket;
  });
}

/** Small bodies that inflate to 64 MiB of nothing. */
function inflate(): void {
  const bombs = [
    ['application/x-ndjson', '', '\n'],
    ['text/csv', '', '\r\n'],
    ['text/csv', '', ','],
    ['application/json', '[', ' '],
  ].map(([type = '', before = '', text = '']) => {
    const inflated = Buffer.concat([Buffer.from(before), Buffer.alloc(64 * MIB - before.length, text)]);
    return { body: gzipSync(inflated), fields: { 'content-type': type, 'content-encoding': 'gzip' } };
  });
  for (const { body, fields } of bombs)
    keepAsking(8, 10, () => ask('POST', '/v1/bars', tokens.attacker, body, fields));
}

/** Readers of events that do not read, and events of as many coordinators with names as large as they may be. */
function fillTheStream(): void {
  keepOpen(300, 600_000, () => {
    const socket = open('GET /v1/feedback/stream', tokens.read);
    socket.pause();
    return socket;
  });
  let event = 0;
  keepAsking(4, 2, () => {
    const name = `${event++ % 1_000}`.padEnd(256, '\u0001');
    const printable = `${event % 1_000}`.padEnd(64, 'é');
    const state = { queue_size: 1, capacity: 10, level: 'ok', source: 'attack', ts: Date.now() / 1_000 };
    const coordinator_id = event % 2 ? name : printable;
    return ask('POST', '/v1/feedback', tokens.feedback, json({ coordinator_id, ...state }), asJson);
  });
}

/** What would slow other producers down, from a token that may send bars only. */
function ruleOthers(): void {
  const event = { coordinator_id: 'x', queue_size: 9, capacity: 10, level: 'hard', source: 'x', ts: 1e15 };
  keepAsking(2, 10, () => ask('POST', '/v1/feedback', tokens.attacker, json(event), asJson));
  const path = '/v1/rate-control/providers/PRODUCER/cooldown';
  keepAsking(2, 10, () => ask('POST', path, tokens.attacker, json({ seconds: 86_400 }), asJson));
}

/** Connections that say nothing, heads that are too large or none, and tokens that are guessed. */
function knock(): void {
  keepOpen(1_400, 600_000, () => connect(port, '127.0.0.1').on('error', () => undefined));
  keepOpen(5, 1_000, () => open(`GET /v1/bars/latest?symbols=${'A,'.repeat(12_000)}`, tokens.read));
  keepOpen(5, 1_000, () => open('\u0000\u0001 /v1/bars', tokens.read));
  keepAsking(4, 5, () => ask('GET', '/v1/bars?__proto__=1', `guess-${Math.random()}`));
  keepAsking(4, 5, () => ask('GET', '/v1/bars?__proto__=1', tokens.read));
}

for (const attack of [sendWhereNothingIsTaken, holdRoom, inflate, fillTheStream, ruleOthers, knock]) attack();
