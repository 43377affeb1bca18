/** Why rows are refused: too few tokens, paused by scale 0, cooling down, or the provider's circuit is open. */
export type AcquireRefusal = 'tokens' | 'paused' | 'cooldown' | 'circuit_open';

/** Rows that were not granted. */
export interface Refused {
  readonly granted: false;
  /** Whole milliseconds, at least 1, after which asking again makes sense: the time to wait at the present scale. */
  readonly retryAfterMs: number;
  /** With `paused` the wait is not known: `retryAfterMs` is when to ask again, not when it will be granted. */
  readonly reason: AcquireRefusal;
}

/** What asking for rows comes to. */
export type AcquireResult =
  | {
      readonly granted: true;
      /** Whole rows that could be taken next, at least 0; null when the provider is not limited. */
      readonly remaining: number | null;
    }
  | Refused;

/** How long an acquire may take. */
export interface AcquireOptions {
  /** Ends the wait: the acquire rejects with its reason and nothing was taken. */
  readonly signal?: AbortSignal | undefined;
  /** Longest wait, milliseconds; default 0, which grants or refuses at once. */
  readonly maxWaitMs?: number | undefined;
}
