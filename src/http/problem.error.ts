import { PROBLEMS, type ProblemCode } from './problem.catalogue.js';

/** What a problem may carry besides its code and detail. */
export interface ProblemExtras {
  /** Further members of the problem document, such as `errors`. */
  readonly members?: Readonly<Record<string, unknown>>;
  /** When to come back, milliseconds: sent as `Retry-After` in whole seconds, at least 1. */
  readonly retryAfterMs?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly cause?: unknown;
}

/** A refusal that is answered to the client as RFC 9457 problem details. */
export class ProblemError extends Error {
  readonly status: number;

  /** @param detail one sentence for the client: what happened, to what, and what to do */
  constructor(
    readonly code: ProblemCode,
    readonly detail: string,
    readonly extras: ProblemExtras = {},
  ) {
    super(`${code}: ${detail}`, { cause: extras.cause });
    this.name = 'ProblemError';
    this.status = PROBLEMS[code].status;
  }
}
