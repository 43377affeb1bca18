/** Ending of a segment's name. */
export const SUFFIX = '.seg';
const NAME = /^(\d{16})\.seg$/;
/** Folder in the spool's directory for bytes that were damaged. */
export const QUARANTINE = 'quarantine';

/** One file of records. */
export interface Segment {
  readonly name: string;
  readonly path: string;
  /** No record in it has a smaller sequence number. */
  readonly first: number;
  /** No record in it has a larger one. */
  last: number;
  /** Bytes that are safe; what lies beyond was never acknowledged. */
  bytes: number;
  /** When all of it was seen to be settled, milliseconds of Date.now. */
  settledAt: number | undefined;
  /** Records in it that were handed out and are not settled, and damaged ones that are not in the quarantine yet. */
  open: number;
  /** True when the disk could not read some of it: it is put aside and not removed. */
  unreadable: boolean;
  /** False when it could not be read whole at the start: its rows are counted as they are found. */
  counted: boolean;
}

/** Those of the names in a directory that are segments', oldest first. */
export function segmentNames(names: readonly string[]): string[] {
  return names.filter((name) => NAME.test(name)).sort();
}

/** The number that a segment is named by: no record in it has a smaller one. */
export function firstNumberOf(name: string): number {
  return Number(name.slice(0, -SUFFIX.length));
}
