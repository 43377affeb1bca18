import { setTimeout as sleep } from 'node:timers/promises';

import type { PostTarget } from './post.job.js';

/** What the service tells of the rows that it took. */
export interface Ledger {
  readonly accepted: number;
  readonly committed: number;
  readonly spooled: number;
  readonly dead_lettered: number;
  readonly residual: number;
}

/** Exact enough for the end. */
const LEAST_WAIT_MS = 5;
/** Each question costs a millisecond of processor time on both sides: they are asked less often while the end is far. */
const MOST_WAIT_MS = 50;

/** Asks the service where its rows are. */
export async function readLedger({ ledgerUrl, token }: PostTarget): Promise<Ledger> {
  const answer = await fetch(ledgerUrl ?? '', { headers: { authorization: `Bearer ${token ?? ''}` } });
  if (!answer.ok) throw new Error(`${ledgerUrl ?? ''} answered ${answer.status}`);
  return ((await answer.json()) as { rows: Ledger }).rows;
}

/** Notes what is committed now; the function that it resolves to waits until so many rows more are, and all others. */
export async function untilCommitted(target: PostTarget): Promise<(rows: number) => Promise<void>> {
  const { committed: before } = await readLedger(target);
  const start = performance.now();
  return async (rows) => {
    for (;;) {
      const { committed, spooled, dead_lettered: dead } = await readLedger(target);
      const done = committed - before;
      if (done >= rows && spooled === 0) return;
      if (dead > 0) throw new Error(`${dead} rows became dead letters`);
      const remainingMs = ((performance.now() - start) / Math.max(1, done)) * (rows - done);
      await sleep(Math.min(MOST_WAIT_MS, Math.max(LEAST_WAIT_MS, remainingMs / 2)));
    }
  };
}
