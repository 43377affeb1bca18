import type { IncomingMessage } from 'node:http';

import type { FastifyRequest } from 'fastify';

import { SECOND } from '../config/units.js';
import { ProblemError } from './problem.error.js';
import { joinPieces } from './body.pieces.js';
import { BODY_LIMIT, IN_PARTS } from './body.limits.js';
import { BODY_SILENCE_MS, LEAST_BODY_RATE } from './time.limits.js';

/**
 * Reads a body whole. It takes room as it comes, where its route keeps room (`request.bodyRoom`), and may take as long
 * as it likes, but not stay silent or trickle.
 * @throws ProblemError `body-too-large`, `upload-too-slow`, and what its room is refused with
 */
export function readBody(request: FastifyRequest, payload: IncomingMessage): Promise<Buffer> {
  const { bodyRoom, headers, routeOptions } = request;
  const limit = routeOptions.bodyLimit;
  if (Number(headers['content-length'] ?? 0) > limit) {
    request.bodyRefused = true;
    return Promise.reject(tooLarge(limit));
  }
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const watch = new UploadWatch(() => bytes, fail);

    payload.on('data', take);
    payload.once('end', finish);
    payload.once('close', leave);

    function take(chunk: Buffer): void {
      watch.heard();
      bytes += chunk.length;
      try {
        if (bytes > limit) throw tooLarge(limit);
        bodyRoom?.grow(chunk.length);
        chunks.push(chunk);
      } catch (error) {
        request.bodyRefused = true;
        fail(error as Error);
      }
    }

    function finish(): void {
      end();
      const [only] = chunks;
      resolve(only && chunks.length === 1 ? only : joinPieces(chunks, bytes));
    }

    function leave(): void {
      fail(clientGone());
    }

    function fail(error: Error): void {
      end();
      chunks.length = 0;
      // What still comes is dropped, at the pace of RefusedInput.
      payload.resume();
      reject(error);
    }

    function end(): void {
      watch.stop();
      payload.off('data', take);
      payload.off('end', finish);
      payload.off('close', leave);
    }
  });
}

/** What ends the work for a client that has gone. Nobody hears it. */
export function clientGone(): ProblemError {
  return new ProblemError('upload-too-slow', 'The client has gone before the answer.');
}

function tooLarge(limit: number): ProblemError {
  const allowed = `A body may have ${limit.toLocaleString('en')} bytes here.`;
  return new ProblemError('body-too-large', limit === BODY_LIMIT ? `${allowed} ${IN_PARTS}` : allowed);
}

/** Ends an upload that is silent or too slow. */
class UploadWatch {
  private readonly silence: NodeJS.Timeout;
  private readonly rate: NodeJS.Timeout;

  constructor(bytes: () => number, onSlow: (problem: ProblemError) => void) {
    this.silence = setTimeout(
      () => onSlow(tooSlow(`Nothing of the body came for ${BODY_SILENCE_MS / SECOND} s.`)),
      BODY_SILENCE_MS,
    );
    let before = 0;
    this.rate = setInterval(() => {
      const now = bytes();
      if (now - before < LEAST_BODY_RATE.bytes) onSlow(tooSlow('The body came slower than 1 KiB a second.'));
      before = now;
    }, LEAST_BODY_RATE.withinMs);
  }

  heard(): void {
    this.silence.refresh();
  }

  stop(): void {
    clearTimeout(this.silence);
    clearInterval(this.rate);
  }
}

function tooSlow(detail: string): ProblemError {
  return new ProblemError('upload-too-slow', `${detail} Nothing of it was stored.`);
}
