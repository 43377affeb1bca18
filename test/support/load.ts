import type { TestService } from './service.js';

/** What a producer waits for: the commit (200), or the spool (202). */
export type Ack = 'stored' | 'durable';

/** A producer that posts ever new bars and remembers which of them were acknowledged. */
export interface Load {
  /** Close of each bar that was answered as asked for, by its `ts` in epoch seconds. */
  readonly acknowledged: ReadonlyMap<number, number>;
  /** How often each outcome was seen: a status, or `cut` for a connection that broke. */
  readonly outcomes: ReadonlyMap<string, number>;
  /** Answers that were neither what was asked for nor a refusal with Retry-After. */
  readonly wrong: readonly string[];
  /** Stops after the requests under way. */
  stop(): Promise<void>;
}

const ROWS_PER_BATCH = 50;
const FIRST_TS = Date.UTC(2026, 0, 1) / 1000;

/** Starts `clients` producers; each posts one batch after the other and never the same bar twice. */
export function startLoad(service: TestService, clients: number, symbol = 'LOAD', ack: Ack = 'stored'): Load {
  const done = ack === 'stored' ? 200 : 202;
  const acknowledged = new Map<number, number>();
  const outcomes = new Map<string, number>();
  const wrong: string[] = [];
  let running = true;
  let next = 0;

  const produce = async (): Promise<void> => {
    while (running) {
      const first = next;
      next += ROWS_PER_BATCH;
      const bars = Array.from(
        { length: ROWS_PER_BATCH },
        (_, index) => [FIRST_TS + (first + index) * 60, first + index] as const,
      );
      const lines = bars.map(([ts, close]) =>
        JSON.stringify({
          provider: 'load',
          symbol,
          interval: '1m',
          ts,
          open: 0,
          high: close,
          low: 0,
          close,
          volume: 1,
        }),
      );
      try {
        const { status, headers } = await service.post(lines.join('\n'), undefined, `?ack=${ack}`);
        outcomes.set(String(status), (outcomes.get(String(status)) ?? 0) + 1);
        if (status === done) for (const [ts, close] of bars) acknowledged.set(ts, close);
        else if (!headers.has('retry-after')) wrong.push(`${status} without Retry-After`);
        // As a polite producer would, only sooner.
        if (status !== done) await new Promise((resolve) => setTimeout(resolve, 20));
      } catch {
        outcomes.set('cut', (outcomes.get('cut') ?? 0) + 1);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  };
  const producers = Array.from({ length: clients }, produce);
  return {
    acknowledged,
    outcomes,
    wrong,
    stop: async () => {
      running = false;
      await Promise.all(producers);
    },
  };
}

/** Those of the acknowledged bars that the service does not give back with their values. */
export async function missingBars(
  service: TestService,
  acknowledged: ReadonlyMap<number, number>,
  symbol = 'LOAD',
): Promise<number[]> {
  const answer = await service.fetch(`/v1/bars?symbols=${symbol}&format=csv`);
  const found = new Map<number, number>();
  for (const line of (await answer.text()).split('\n').slice(1, -1)) {
    const fields = line.split(',');
    found.set(Date.parse(fields[3] ?? '') / 1000, Number(fields[7]));
  }
  return [...acknowledged].filter(([ts, close]) => found.get(ts) !== close).map(([ts]) => ts);
}
