import { setFlagsFromString } from 'node:v8';

const GROWTH_PERCENT = 200;

/**
 * Bodies and batches are large and short-lived. V8 counts them towards a limit that it sets by the heap alone, which is
 * small: it went through the whole heap every 80,000 rows, on four threads. With room for twice the heap it seldom does.
 * What is new in the heap is looked through by the main thread: so little of it stays that helpers only take the
 * processors from those who have work.
 */
export function tuneGarbageCollection(): void {
  setFlagsFromString(`--heap-growing-percent=${GROWTH_PERCENT}`);
  setFlagsFromString('--no-parallel-scavenge');
}
