import { createGunzip } from 'node:zlib';

import { KIB, SECOND } from '../../config/units.js';
import { Turnstile } from '../../concurrency/turnstile.js';
import type { BodyRoom } from '../../http/body.budget.js';
import { BODY_LIMIT, IN_PARTS } from '../../http/body.limits.js';
import { joinPieces } from '../../http/body.pieces.js';
import { ProblemError } from '../../http/problem.error.js';

/** Bodies that are inflated at the same time. */
const AT_ONCE = 2;
/** Longest wait of a body for its turn, milliseconds. */
const LONGEST_WAIT_MS = 15 * SECOND;
const CHUNK_BYTES = 64 * KIB;

/** A body that came over HTTP. */
export interface SentBody {
  readonly body: Buffer;
  /** The room it takes in memory; undefined for a small one. */
  readonly room: Pick<BodyRoom, 'grow'> | undefined;
  /** Aborted when its client has gone; the reason is the error to end with. */
  readonly gone: AbortSignal | undefined;
}

/** Undoes the Content-Encoding of bodies, off the main thread, of two at the same time. */
export class BodyInflater {
  private readonly turns = new Turnstile(AT_ONCE);

  /**
   * The body as it was before it was encoded. One without an encoding is not waited for.
   * @throws ProblemError `unsupported-media-type`, `malformed-body`, `body-too-large` once the inflated bytes pass the
   *   limit, `queue-full` when its turn does not come, and what its room is refused with
   */
  inflate(sent: SentBody, encoding: string | undefined): Buffer | Promise<Buffer> {
    if (encoding === undefined) return sent.body;
    const name = encoding.trim().toLowerCase();
    if (name === 'identity' || name === '') return sent.body;
    if (name !== 'gzip' && name !== 'x-gzip') {
      throw new ProblemError('unsupported-media-type', 'The only Content-Encoding taken is gzip.', {
        headers: { 'accept-encoding': 'gzip' },
      });
    }
    return this.inflateInTurn(sent);
  }

  private async inflateInTurn(sent: SentBody): Promise<Buffer> {
    if (!(await this.turns.enter(LONGEST_WAIT_MS, sent.gone))) {
      sent.gone?.throwIfAborted();
      throw new ProblemError('queue-full', 'Too many compressed bodies wait to be inflated.', {
        retryAfterMs: SECOND,
        headers: { 'x-backpressure': 'hard' },
      });
    }
    try {
      return await inflateGzip(sent);
    } finally {
      this.turns.leave();
    }
  }
}

async function inflateGzip({ body, room, gone }: SentBody): Promise<Buffer> {
  const gunzip = createGunzip({ chunkSize: CHUNK_BYTES });
  gunzip.end(body);
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    // Leaving the loop ends the inflating.
    for await (const chunk of gunzip as AsyncIterable<Buffer>) {
      gone?.throwIfAborted();
      bytes += chunk.length;
      if (bytes > BODY_LIMIT) {
        throw new ProblemError(
          'body-too-large',
          `The body has more than ${BODY_LIMIT.toLocaleString('en')} bytes when it is inflated. ${IN_PARTS}`,
        );
      }
      room?.grow(chunk.length);
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof ProblemError) throw error;
    throw new ProblemError('malformed-body', 'The body is not complete gzip data.', { cause: error });
  }
  return joinPieces(chunks, bytes);
}
