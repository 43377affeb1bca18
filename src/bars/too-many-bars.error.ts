import { IN_PARTS } from '../http/body.limits.js';

/** More bars than are taken at once. The message is fit for the sender's eyes. */
export class TooManyBarsError extends Error {
  override readonly name = 'TooManyBarsError';

  /** `limit` is the most bars that a body may have. */
  constructor(limit: number) {
    super(
      `The body has more than ${limit.toLocaleString('en')} bars, the most that one body may have. ${IN_PARTS}`,
    );
  }
}
