/** Throws a RangeError when a scale is not from 0, which pauses, to 1, the full rate. */
export function assertScale(scale: number): void {
  if (!(scale >= 0 && scale <= 1)) throw new RangeError(`a scale is a number from 0 to 1, not ${scale}`);
}
