import { setTimeout as sleep } from 'node:timers/promises';

import type { BarBlock } from '../data/bar.block.js';
import { HttpConnection } from './http.connection.js';
import { readLedger } from './ledger.js';
import { type PostTarget, requestsOf } from './post.job.js';

/** An open loop: requests are due at random times, whether or not earlier ones are answered. */
export interface OfferOptions {
  readonly target: PostTarget;
  /** Bodies to send, more than connections; one that was taken comes again, a year later each time. */
  readonly block: BarBlock;
  readonly batchRows: number;
  readonly requestsPerSecond: number;
  readonly seconds: number;
  /** What is due while all are busy waits, and its waiting counts. */
  readonly connections: number;
}

/** What became of the requests that were due. */
export interface OfferResult {
  readonly due: number;
  readonly accepted: number;
  /** Refusals by status; `cut` for a connection that broke. */
  readonly refused: Readonly<Record<string, number>>;
  readonly refusedWithoutRetryAfter: number;
  readonly unanswered: number;
  /** From the start to when the service told what it had committed, at the end of the time offered. */
  readonly seconds: number;
  /** Rows that the service committed in that time. */
  readonly committed: number;
  /**
   * Milliseconds from when each request was due (not from when it could be sent) to its answer, refusals left out;
   * of one that is not answered the time until we stopped waiting: it would have been more.
   */
  readonly latencies: readonly number[];
}

const SEED = 12_345;
/** How long answers are waited for after the last request was due. */
const PATIENCE_MS = 2_000;
const MODULUS = 2_147_483_647;
const BEFORE_YEAR = '"ts":"';
const YEAR_DIGITS = 4;

/** Offers the load. */
export async function offer(options: OfferOptions): Promise<OfferResult> {
  const { batchRows, block, connections, target } = options;
  const stock = requestsOf(target, block, batchRows);
  let taken = 0;
  const due = arrivals(options);
  const idle = Array.from({ length: connections }, () => new HttpConnection(new URL(target.url)));
  const all = [...idle];
  const refused: Record<string, number> = {};
  const latencies: number[] = [];
  let refusedWithoutRetryAfter = 0;
  let accepted = 0;
  let next = 0;
  let settled = 0;
  let over = false;

  const { committed: before } = await readLedger(target);
  const start = performance.now();
  const refuse = (how: string): void => void (refused[how] = (refused[how] ?? 0) + 1);
  const send = async (connection: HttpConnection, request: Buffer, dueAt: number): Promise<void> => {
    try {
      const { retryAfter, status } = await connection.send(request);
      if (status >= 200 && status < 300) {
        accepted += 1;
        moveToNextYear(request);
        latencies.push(performance.now() - start - dueAt);
      } else {
        refuse(String(status));
        if (retryAfter === undefined) refusedWithoutRetryAfter += 1;
      }
    } catch {
      refuse('cut');
      // It may have been taken.
      moveToNextYear(request);
    }
    settled += 1;
    stock.push(request);
    idle.push(connection);
    dispatch();
  };
  const dispatch = (): void => {
    if (over) return;
    const now = performance.now() - start;
    for (let dueAt = due[next]; dueAt !== undefined && dueAt <= now; dueAt = due[next]) {
      const request = stock[taken];
      const connection = request && idle.pop();
      if (request === undefined || connection === undefined) return;
      next += 1;
      taken += 1;
      void send(connection, request, dueAt);
    }
  };

  const endMs = options.seconds * 1_000;
  while (performance.now() - start < endMs) {
    dispatch();
    await sleep(1);
  }
  const { committed: after } = await readLedger(target);
  // Under overload this answer takes its time too.
  const seconds = (performance.now() - start) / 1_000;
  while (settled < due.length && performance.now() - start < endMs + PATIENCE_MS) {
    dispatch();
    await sleep(1);
  }
  over = true;
  const stopped = performance.now() - start;
  const unanswered = due.length - settled;
  // Which of them they are is not known of those under way: the last due ones are close enough.
  for (const dueAt of due.slice(due.length - unanswered)) latencies.push(stopped - dueAt);
  for (const connection of all) connection.close();
  return {
    due: due.length,
    accepted,
    refused,
    refusedWithoutRetryAfter,
    unanswered,
    seconds,
    committed: after - before,
    latencies,
  };
}

/** New bars in place of bars that were taken, without building them. */
function moveToNextYear(request: Buffer): void {
  const first = request.indexOf(BEFORE_YEAR) + BEFORE_YEAR.length;
  const next = String(Number(request.toString('latin1', first, first + YEAR_DIGITS)) + 1);
  for (let at = first; at >= BEFORE_YEAR.length;) {
    request.write(next, at, 'latin1');
    at = request.indexOf(BEFORE_YEAR, at) + BEFORE_YEAR.length;
  }
}

/** Poisson arrivals, the same in every run: milliseconds from the start, ascending. */
function arrivals({ requestsPerSecond, seconds }: OfferOptions): number[] {
  const times: number[] = [];
  // Lehmer's generator with Park and Miller's multiplier.
  let state = SEED;
  for (let at = 0; ;) {
    state = (state * 48_271) % MODULUS;
    at += (-Math.log(state / MODULUS) * 1_000) / requestsPerSecond;
    if (at >= seconds * 1_000) return times;
    times.push(at);
  }
}
