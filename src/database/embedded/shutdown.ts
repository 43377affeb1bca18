import { SECOND } from '../../config/units.js';

/** One way of asking a server to end, and the milliseconds it is given before the next. */
export interface ShutdownStep {
  readonly signal: 'SIGINT' | 'SIGQUIT' | 'SIGKILL';
  readonly patienceMs: number;
}

/** PostgreSQL's fast shutdown, then the immediate one, which costs a recovery, then the kernel's. */
const SHUTDOWN_STEPS: readonly ShutdownStep[] = [
  { signal: 'SIGINT', patienceMs: 8 * SECOND },
  // The server itself kills its last processes 5 s after SIGQUIT.
  { signal: 'SIGQUIT', patienceMs: 6 * SECOND },
  { signal: 'SIGKILL', patienceMs: 5 * SECOND },
];

/** The same steps in the milliseconds given; in their own time when that is shorter, or undefined. */
export function shutdownWithin(patienceMs: number | undefined): readonly ShutdownStep[] {
  const usualMs = SHUTDOWN_STEPS.reduce((sum, step) => sum + step.patienceMs, 0);
  const share = Math.min(1, (patienceMs ?? usualMs) / usualMs);
  return SHUTDOWN_STEPS.map((step) => ({ ...step, patienceMs: step.patienceMs * share }));
}

/**
 * Goes through the steps until the server has ended.
 * @param send sends the signal
 * @param endsWithin resolves whether the server ended within so many milliseconds
 * @returns false when it lives after the last step
 */
export async function shutDown(
  send: (signal: ShutdownStep['signal']) => void | Promise<void>,
  endsWithin: (ms: number) => Promise<boolean>,
  steps = SHUTDOWN_STEPS,
): Promise<boolean> {
  for (const { signal, patienceMs } of steps) {
    await send(signal);
    if (await endsWithin(patienceMs)) return true;
  }
  return false;
}
