import {
  CircuitOpenError,
  classifyFailure,
  CoordinatorStoppedError,
  WriteRefusedError,
} from '../../coordinator/index.js';
import { acceptProblem } from '../../coordinator/accept.problem.mapping.js';
import { SECOND } from '../../config/units.js';
import { ProblemError } from '../../http/problem.error.js';

/** For the client: the answer took too long, and what became of the bars need not be known. */
export function unconfirmed(safe: boolean, retryAfterMs: number): ProblemError {
  return safe
    ? new ProblemError(
        'commit-unconfirmed',
        'The bars are safe in the spool and will be stored. Sending them again is harmless.',
        { retryAfterMs },
      )
    : new ProblemError(
        'spool-unavailable',
        'The disk did not confirm the bars in time; they may still be stored. Sending them again is harmless.',
        { retryAfterMs },
      );
}

/** What a failed write is for the client; every other error as it is. */
export function writeProblem(error: Error, queueRetryAfterMs: number): Error {
  if (error instanceof CircuitOpenError)
    return databaseUnavailable('nothing was stored', error, error.retryAfterMs);
  if (error instanceof CoordinatorStoppedError && error.outcomeUnknown) return unconfirmed(true, SECOND);
  if (error instanceof WriteRefusedError) {
    return new ProblemError(
      'write-refused',
      'The database refused some of the bars; they are in the dead-letter queue, the others are stored.',
      { cause: error },
    );
  }
  return acceptProblem(error, queueRetryAfterMs) as Error;
}

/** Answers 503 when a read fails because the database is away; passes every other failure on. */
export async function withDatabaseProblem<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const failureClass = classifyFailure(error);
    if (failureClass === 'unavailable' || failureClass === 'timeout')
      throw databaseUnavailable('nothing can be read', error, SECOND);
    throw error;
  }
}

function databaseUnavailable(consequence: string, cause: unknown, retryAfterMs: number): ProblemError {
  return new ProblemError(
    'database-unavailable',
    `The database does not answer; ${consequence}. Come back later.`,
    { retryAfterMs, cause },
  );
}
