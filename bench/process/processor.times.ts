import { cpus } from 'node:os';

/** Begins to measure. @returns tells what share of all processors' time was idle since */
export function watchIdle(): () => number {
  const before = processorTimes();
  return () => {
    const after = processorTimes();
    return (after.idle - before.idle) / (after.all - before.all);
  };
}

/** Milliseconds of all processors since the start of the machine. */
function processorTimes(): { readonly idle: number; readonly all: number } {
  let idle = 0;
  let all = 0;
  for (const { times } of cpus()) {
    idle += times.idle;
    all += times.user + times.nice + times.sys + times.irq + times.idle;
  }
  return { idle, all };
}
