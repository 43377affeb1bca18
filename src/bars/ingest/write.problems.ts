import {
  CircuitOpenError,
  classifyFailure,
  CoordinatorStoppedError,
  QueueFullError,
  WriteRefusedError,
} from '../../coordinator/index.js';
import { SECOND } from '../../config/units.js';
import { ProblemError } from '../../http/problem.error.js';

/** For the client: the outcome is not known, and need not be. */
export const UNCONFIRMED = 'The bars are queued and may still be stored. Sending them again is harmless.';

/** What a failed write is for the client. */
export function writeProblem(error: unknown, queueRetryAfterMs: number): unknown {
  if (error instanceof QueueFullError) {
    return new ProblemError(
      'queue-full',
      `The queue holds ${error.size} of ${error.capacity} bars and has no room for ${error.rows} more.`,
      { retryAfterMs: queueRetryAfterMs, headers: { 'x-backpressure': 'hard' } },
    );
  }
  if (error instanceof CircuitOpenError) return databaseUnavailable(error, error.retryAfterMs);
  if (error instanceof CoordinatorStoppedError && error.outcomeUnknown) {
    return new ProblemError('commit-unconfirmed', UNCONFIRMED, { retryAfterMs: SECOND, cause: error });
  }
  if (error instanceof CoordinatorStoppedError) {
    return new ProblemError('draining', 'The service stopped before the bars were stored; send them again.', {
      retryAfterMs: SECOND,
      cause: error,
    });
  }
  if (error instanceof WriteRefusedError) {
    return new ProblemError(
      'write-refused',
      'The database refused the bars; nothing of this body was stored.',
      {
        cause: error,
      },
    );
  }
  return error;
}

/** Answers 503 when a read fails because the database is away; passes every other failure on. */
export async function withDatabaseProblem<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (classifyFailure(error) === 'unavailable') throw databaseUnavailable(error, SECOND);
    throw error;
  }
}

function databaseUnavailable(cause: unknown, retryAfterMs: number): ProblemError {
  return new ProblemError(
    'database-unavailable',
    'The database does not answer; nothing was stored. Come back later.',
    {
      retryAfterMs,
      cause,
    },
  );
}
