import type { RowErrorCode } from './row-error.codes.js';

/** Why one row of a body was refused. */
export interface RowError {
  /** Where the row is, from 1: the data row in CSV, the line in NDJSON, the element in JSON. */
  readonly line: number;
  /** JSON pointer (RFC 6901) into the row, `/close`; empty for the row itself. */
  readonly pointer: string;
  /** What kind of error it is. */
  readonly code: RowErrorCode;
  /** One sentence that names the value. */
  readonly detail: string;
}
