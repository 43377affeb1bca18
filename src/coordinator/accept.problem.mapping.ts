import { SECOND } from '../config/units.js';
import { ProblemError } from '../http/problem.error.js';
import { CoordinatorStoppedError } from './coordinator.errors.js';
import { SpoolBusyError, SpoolFullError, SpoolUnavailableError } from './spool/spool.errors.js';

/** What it is for the client that an entry was not accepted; every other error as it is. */
export function acceptProblem(error: unknown, queueRetryAfterMs: number): unknown {
  const hard = { retryAfterMs: queueRetryAfterMs, headers: { 'x-backpressure': 'hard' }, cause: error };
  if (error instanceof SpoolBusyError) {
    return new ProblemError(
      'queue-full',
      'Too many bars wait for the disk already; nothing was stored.',
      hard,
    );
  }
  if (error instanceof SpoolFullError) {
    return new ProblemError('spool-full', 'The spool has no room for the bars; nothing was stored.', hard);
  }
  if (error instanceof SpoolUnavailableError) {
    return new ProblemError(
      'spool-unavailable',
      'The spool cannot be written now; the bars were not accepted.',
      hard,
    );
  }
  if (error instanceof CoordinatorStoppedError) {
    return new ProblemError('draining', 'The service stopped before the bars were stored; send them again.', {
      retryAfterMs: SECOND,
      cause: error,
    });
  }
  return error;
}
