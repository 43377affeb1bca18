import { InvalidArgumentError } from 'commander';

import { parseEpochSeconds, parseTimestamp } from '../bars/timestamp.js';

/** An instant as the API takes it, in Unix epoch microseconds. */
export function parseTime(text: string): number {
  const isNumber = /^-?\d+(\.\d+)?$/.test(text);
  const instant = isNumber ? parseEpochSeconds(Number(text)) : parseTimestamp(text);
  if (typeof instant === 'number') return instant;
  throw new InvalidArgumentError(`It ${instant.reason}.`);
}
