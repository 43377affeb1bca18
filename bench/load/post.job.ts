import { setTimeout as sleep } from 'node:timers/promises';

import { BATCH_ROWS, type BarBlock, lineProtocolBodies, ndjsonBodies, rowsOf } from '../data/bar.block.js';
import { watchIdle } from '../process/processor.times.js';
import { HttpConnection, postRequest } from './http.connection.js';
import { untilCommitted } from './ledger.js';

/** Where bars are posted. */
export interface PostTarget {
  /** With path and query. */
  readonly url: string;
  readonly format: 'ndjson' | 'line-protocol';
  /** Bearer token. */
  readonly token?: string;
  /** Ledger of the service, to wait for the commit; without it the answer is the end. */
  readonly ledgerUrl?: string;
}

/** A closed loop: each client sends its next request when the one before is answered. */
export interface PostOptions {
  readonly target: PostTarget;
  readonly block: BarBlock;
  readonly clients: number;
  /** Rows of a request. */
  readonly batchRows?: number;
}

/** What it took. */
export interface PostResult {
  readonly rows: number;
  readonly requests: number;
  /** From the first request to the last answer. */
  readonly answeredSeconds: number;
  /** From the first request to the commit of the last row; the same as `answeredSeconds` without a ledger. */
  readonly committedSeconds: number;
  /** Share of the machine's processors that was idle from the first request to the last answer. */
  readonly idleShare: number;
  /** Answers that said to come back later; they were sent again. */
  readonly refusals: number;
}

const RETRY_MS = 20;
const BODIES = { ndjson: ndjsonBodies, 'line-protocol': lineProtocolBodies };

/** Headers of a post to the target. */
export function headersOf({ format, token }: PostTarget): Record<string, string> {
  return {
    'content-type': format === 'ndjson' ? 'application/x-ndjson' : 'text/plain',
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  };
}

/** The requests of a block, built in advance. */
export function requestsOf(target: PostTarget, block: BarBlock, batchRows = BATCH_ROWS): Buffer[] {
  const url = new URL(target.url);
  const bodies = BODIES[target.format];
  return bodies(block, batchRows).map((body) => postRequest(url, headersOf(target), body));
}

/** Posts a block. */
export async function post({ target, block, clients, batchRows }: PostOptions): Promise<PostResult> {
  const requests = requestsOf(target, block, batchRows);
  const committed = target.ledgerUrl === undefined ? undefined : await untilCommitted(target);
  const connections = Array.from({ length: clients }, () => new HttpConnection(new URL(target.url)));
  let next = 0;
  let refusals = 0;

  const idle = watchIdle();
  const start = performance.now();
  await Promise.all(
    connections.map(async (connection) => {
      for (let request = requests[next++]; request !== undefined; request = requests[next++]) {
        for (;;) {
          const { status } = await connection.send(request);
          if (status >= 200 && status < 300) break;
          if (status !== 429 && status !== 503) throw new Error(`${target.url} answered ${status}`);
          refusals += 1;
          await sleep(RETRY_MS);
        }
      }
    }),
  );
  const answeredSeconds = (performance.now() - start) / 1_000;
  const idleShare = idle();
  await committed?.(rowsOf(block));
  const committedSeconds = (performance.now() - start) / 1_000;
  for (const connection of connections) connection.close();
  return {
    rows: rowsOf(block),
    requests: requests.length,
    answeredSeconds,
    committedSeconds: committed === undefined ? answeredSeconds : committedSeconds,
    idleShare,
    refusals,
  };
}
