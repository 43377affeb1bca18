import type { Entry } from '../../src/coordinator/index.js';

/** An entry that can be told from others. */
export interface NamedEntry extends Entry {
  readonly id: number;
}

/** An entry of the given weight, 1 row unless told. */
export function entry(id: number, rows = 1): NamedEntry {
  return { id, rows };
}

/** Lets everything happen that is due now: microtasks, and the immediates that deliver events. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** Waits until the condition holds; fails after the time given, in milliseconds. */
export async function until(condition: () => boolean, withinMs = 60_000): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${condition.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
