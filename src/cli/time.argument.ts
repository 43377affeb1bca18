import { InvalidArgumentError } from 'commander';

import { parseTime } from '../bars/timestamp.js';

/** An instant as the API takes it, in Unix epoch microseconds. */
export function timeArgument(text: string): number {
  const instant = parseTime(text);
  if (typeof instant === 'number') return instant;
  throw new InvalidArgumentError(`It ${instant.reason}.`);
}
