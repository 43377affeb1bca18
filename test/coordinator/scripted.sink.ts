import type { Sink } from '../../src/coordinator/index.js';
import type { NamedEntry } from './entries.js';

/** What the sink does with one write: nothing to commit it, throw to fail, or a promise for either. */
export type Script = (entries: readonly NamedEntry[], call: number) => unknown;

/** A sink in memory that commits whole batches or nothing, as its script says. */
export class ScriptedSink implements Sink<NamedEntry, string> {
  /** Batches committed, as ids. */
  readonly batches: number[][] = [];
  /** Writes begun. */
  calls = 0;
  /** Writes under way, now and at most. */
  running = 0;
  mostRunning = 0;

  constructor(public script: Script = () => undefined) {}

  async write(entries: readonly NamedEntry[]): Promise<readonly string[]> {
    this.running++;
    this.mostRunning = Math.max(this.mostRunning, this.running);
    try {
      await this.script(entries, this.calls++);
      this.batches.push(entries.map(({ id }) => id));
      return entries.map(({ id }) => `result ${id}`);
    } finally {
      this.running--;
    }
  }
}

/** An error with a code, as pg and Node make them. */
export function failure(code: string): Error {
  return Object.assign(new Error(`failed with ${code}`), { code });
}
