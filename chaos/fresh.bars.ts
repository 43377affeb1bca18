import { setTimeout as sleep } from 'node:timers/promises';

import { FIRST_TS } from './bar.keys.js';
import type { Replica } from './replica.js';

/** Provider of bars that no producer sends. */
export const FRESH = 'FRESH';
/** While nothing is committed for so long, the service does not flow. */
const STALLED_MS = 30_000;
const WITHIN_MS = 180_000;
const LOOK_MS = 50;

/** Sends bars that no producer sends, for a look at whether bars flow. */
export class FreshBars {
  private sent = 0;

  /** The line of the next one. */
  next(): string {
    const ts = FIRST_TS + 60 * this.sent++;
    const prices = { open: 1, high: 1, low: 1, close: 1, volume: 1 };
    return JSON.stringify({ provider: FRESH, symbol: FRESH, interval: '1m', ts, ...prices });
  }

  /**
   * Sends one until it is answered as stored. It waits behind what was accepted before, as long as that is written: how
   * long that takes depends on the machine and on what the fault before held up.
   * @returns why it was not, as a sentence
   */
  async untilStored(replica: Replica): Promise<string | undefined> {
    const bar = this.next();
    const progress = new AbortController();
    let stalled: string | undefined;
    const watch = this.watchProgress(replica, progress.signal).then((why) => (stalled = why));
    let last = 'nothing was answered';
    while (stalled === undefined) {
      const answer = await replica.post(bar, 1, '?ack=stored');
      if (typeof answer !== 'string' && answer.status === 200) break;
      last = typeof answer === 'string' ? answer : `${answer.status} ${answer.text.slice(0, 300)}`;
      await sleep(LOOK_MS);
    }
    progress.abort();
    await watch;
    return stalled === undefined ? undefined : `${stalled}; a fresh bar was last answered: ${last}`;
  }

  /** Resolves with a sentence when nothing is committed for too long. */
  private async watchProgress(replica: Replica, signal: AbortSignal): Promise<string | undefined> {
    const startedAt = performance.now();
    let committed = -1;
    let movedAt = startedAt;
    while (!signal.aborted) {
      const rows = await replica.look().then(
        (state) => state.rows,
        () => undefined,
      );
      const now = performance.now();
      if (rows && rows.committed !== committed) {
        committed = rows.committed;
        movedAt = now;
      }
      if (now - movedAt > STALLED_MS) return `nothing was committed for ${STALLED_MS} ms`;
      if (now - startedAt > WITHIN_MS) return `a fresh bar was not stored within ${WITHIN_MS} ms`;
      await sleep(LOOK_MS, undefined, { signal }).catch(() => undefined);
    }
    return undefined;
  }
}
