import { existsSync, readFileSync } from 'node:fs';

const STAT = '/proc/stat';

/**
 * Begins to measure.
 * @returns tells what share of all processors' time was idle since, also waiting for a disk; NaN where there is no /proc
 */
export function watchIdle(): () => number {
  const before = processorTimes();
  return () => {
    const after = processorTimes();
    return (after.idle - before.idle) / (after.all - before.all);
  };
}

/** Ticks of all processors since the start of the machine (proc(5)): user, nice, system, idle, iowait and so on. */
function processorTimes(): { readonly idle: number; readonly all: number } {
  const stat = existsSync(STAT) ? readFileSync(STAT, 'utf8') : '';
  const [, ...ticks] = stat.split('\n', 1)[0]?.split(/ +/) ?? [];
  // The last two, of guests, are within the first two.
  const times = ticks.slice(0, 8).map(Number);
  return { idle: (times[3] ?? 0) + (times[4] ?? 0), all: times.reduce((sum, time) => sum + time, 0) };
}
