import { Readable } from 'node:stream';
import { constants, createGzip, type Gzip } from 'node:zlib';

import type { FastifyInstance, FastifyReply } from 'fastify';

import { Turnstile } from '../concurrency/turnstile.js';
import { KIB } from '../config/units.js';
import { addVary, prefersGzip } from './negotiation.js';

/** Smaller answers fit into one packet anyway, bytes. */
const LEAST = KIB;
/** What one turn compresses at most, bytes: about a millisecond of a thread. */
const PIECE = 64 * KIB;
/** What problems are is left as it is: small bodies of bars are refused past these hooks, and alike. */
const TYPES = /^(?:text\/(?!event-stream)|application\/(?:json|x-ndjson|schema\+json|javascript)\b)/;
/** Bars shrink to a fifth; a sixth takes three times as long (docs/decisions/0030). */
const OPTIONS = { level: constants.Z_BEST_SPEED, chunkSize: PIECE };

/**
 * Compresses answers for those who ask for it. One piece is compressed at a time, of whichever answer: the threads that
 * do it also write the spool to disk.
 */
export function compressAnswers(server: FastifyInstance): void {
  const turns = new Turnstile(1);
  server.addHook('onSend', (request, reply, payload, done) => {
    if (!isCompressible(reply)) {
      done(null, payload);
      return;
    }
    const { method } = request;
    const isWorthIt = isLong(payload);
    // Also of short answers that a cache may keep: the next one at their address may be long.
    if (isWorthIt || method === 'GET' || method === 'HEAD') addVary(reply, 'Accept-Encoding');
    if (!isWorthIt || method === 'HEAD' || !prefersGzip(request)) {
      done(null, payload);
      return;
    }
    void reply.header('content-encoding', 'gzip').removeHeader('content-length');
    done(null, gzipped(payload, turns));
  });
}

type Payload = string | Buffer | Readable;

function isCompressible(reply: FastifyReply): boolean {
  if (!TYPES.test(String(reply.getHeader('content-type')))) return false;
  return reply.statusCode !== 206 && !reply.hasHeader('content-encoding');
}

function isLong(payload: unknown): payload is Payload {
  if (typeof payload === 'string' || Buffer.isBuffer(payload)) return Buffer.byteLength(payload) >= LEAST;
  return payload instanceof Readable;
}

function gzipped(payload: Payload, turns: Turnstile): Readable {
  const answer = Readable.from(compressed(piecesOf(payload), turns));
  // Also when the client goes before anything was read.
  if (payload instanceof Readable) answer.once('close', () => payload.destroy());
  return answer;
}

/** Each piece is compressed when what came of the one before was taken. */
async function* compressed(
  pieces: AsyncIterable<Buffer> | Iterable<Buffer>,
  turns: Turnstile,
): AsyncGenerator<Buffer> {
  const gzip = createGzip(OPTIONS);
  const made: Buffer[] = [];
  gzip.on('data', (piece: Buffer) => made.push(piece));
  // The callbacks tell it.
  gzip.on('error', () => undefined);
  try {
    for await (const piece of pieces) {
      await inTurn(turns, () => written(gzip, piece));
      yield* made.splice(0);
    }
    await inTurn(turns, () => ended(gzip));
    yield* made.splice(0);
  } finally {
    gzip.close();
  }
}

async function inTurn(turns: Turnstile, work: () => Promise<void>): Promise<void> {
  await turns.enter();
  try {
    await work();
  } finally {
    turns.leave();
  }
}

function written(gzip: Gzip, piece: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    gzip.write(piece, (error) => (error ? reject(error) : resolve()));
  });
}

function ended(gzip: Gzip): Promise<void> {
  return new Promise((resolve, reject) => {
    gzip.once('end', resolve).once('error', reject).end();
  });
}

async function* piecesOf(payload: Payload): AsyncGenerator<Buffer> {
  const wholes = payload instanceof Readable ? (payload as AsyncIterable<Buffer>) : [Buffer.from(payload)];
  for await (const whole of wholes)
    for (let start = 0; start < whole.length; start += PIECE) yield whole.subarray(start, start + PIECE);
}
