/** The fields that a row must have, in the order in which they are checked. */
export const ROW_FIELDS = [
  'provider',
  'symbol',
  'interval',
  'ts',
  'open',
  'high',
  'low',
  'close',
  'volume',
] as const;

/** A field that a row must have. */
export type RowField = (typeof ROW_FIELDS)[number];
