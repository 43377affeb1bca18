import type { RowTotals } from './row.ledger.js';
import type { SpoolFileSystem } from './spool.file-system.js';

/** Told of what an operator wants to know. Must not throw. */
export interface SpoolObserver {
  /** A group of entries is safe; `seconds` is the time of its write, until it was on disk. */
  onSync?(seconds: number): void;
  /** The spool cannot be written from now on, or its quota is used up. */
  onFault?(error: Error): void;
  /** The spool can be written again, and has room. */
  onHealed?(): void;
  /** Bytes that cannot be read were put aside; `rows` is known when the record's header could be read. */
  onQuarantine?(file: string, bytes: number, rows: number | undefined): void;
  /** The disk does not read bytes of the segment at `path` from `offset` on; they are tried again until it does. */
  onUnread?(path: string, offset: number, error: unknown): void;
  /** It has read them now. */
  onRead?(path: string, offset: number): void;
  /** Something failed that will be tried again: the checkpoint, or the removal of a segment. */
  onRetry?(what: string, error: unknown): void;
}

/** Settings of a Spool. */
export interface SpoolOptions {
  /** Absolute path; made when it is not there. */
  readonly directory: string;
  /** Most bytes of segments. */
  readonly maxBytes: number;
  /** How long a segment is kept after all in it is settled, unless its room is needed. */
  readonly retainMs: number;
  /** Bytes after which a new segment is begun; default 64 MiB, at most an eighth of `maxBytes`. */
  readonly segmentBytes?: number | undefined;
  /** Newest bytes kept in memory too, so that they need not be read back; default 32 MiB. */
  readonly tailBytes?: number | undefined;
  /** Most bytes that wait for the disk; default 128 MiB. */
  readonly maxWaitingBytes?: number | undefined;
  /** How often the checkpoint is written while it moves; default 250 ms. */
  readonly checkpointMs?: number | undefined;
  /** How often a spool that cannot be written is tried again; default 1 s. */
  readonly healMs?: number | undefined;
  /** How often the spool's files are compared with what lies under their names; default 1 s. */
  readonly placeMs?: number | undefined;
  /** Milliseconds between the tries of a checkpoint that the disk does not read at the start; default 500. */
  readonly checkpointPauseMs?: number | undefined;
  readonly files?: SpoolFileSystem | undefined;
  readonly observer?: SpoolObserver | undefined;
}

/** Room for an entry that is under way. */
export interface SpoolRoom {
  /**
   * So many bytes of it have come.
   * @throws SpoolFullError, SpoolUnavailableError
   */
  readonly grow: (bytes: number) => void;
  /** The entry is safe, or will not come; a second call does nothing. */
  readonly release: () => void;
}

/** A spool at one moment. */
export interface SpoolSnapshot {
  /** Bytes of all segments, those kept for replay included. */
  readonly bytes: number;
  readonly maxBytes: number;
  /** Bytes of the segments in which something is not settled. */
  readonly unsettledBytes: number;
  /** Rows that are not settled. */
  readonly rows: number;
  /** Where all rows are that the spool ever took. */
  readonly totals: RowTotals;
  /** Places that the disk does not read now, and why. */
  readonly unread: { readonly places: number; readonly error: unknown };
  /** Age of the oldest entry that is not settled, by its time of receipt; 0 when there is none. */
  readonly oldestAgeSeconds: number;
  /** Damaged pieces put aside since the start. */
  readonly quarantined: number;
  /** Why it cannot be written now. */
  readonly fault: Error | undefined;
  /** True while entries that are not settled use up the quota, and until they use clearly less of it. */
  readonly overQuota: boolean;
  /** How long the write that runs now has taken. */
  readonly syncingSeconds: number;
}
