import { crcOf, decodeHeader, encodeHeader, HEADER_BYTES } from '../spool/spool.record.js';

/** Why rows are in the dead-letter queue. */
export interface DeadLetterReason {
  /** The failure's name in the failure table. */
  readonly reason: string;
  /** PostgreSQL's SQLSTATE, when it was PostgreSQL that refused them. */
  readonly sqlstate: string | undefined;
  /** What the sink said. */
  readonly detail: string;
}

/** Rows that the sink refused. */
export interface DeadLetter extends DeadLetterReason {
  /** Time of receipt, sequence number in the spool and first row: the same rows always get the same id. */
  readonly id: string;
  readonly rows: number;
  /** When the rows were received: Unix epoch, microseconds. */
  readonly time: number;
  /** When they were refused: Unix epoch, milliseconds. */
  readonly refusedAt: number;
  /** The rows as the spool held them. */
  readonly payload: readonly Buffer[];
}

/** The letter cannot be read: its file was damaged. */
export class DeadLetterDamagedError extends Error {
  override readonly name = 'DeadLetterDamagedError';

  constructor(readonly id: string) {
    super(`dead letter ${id} is damaged and was put aside`);
  }
}

/** The disk does not read the letter now; it stays in the queue. */
export class DeadLetterUnreadError extends Error {
  override readonly name = 'DeadLetterUnreadError';

  constructor(
    readonly id: string,
    cause: unknown,
  ) {
    super(`dead letter ${id} cannot be read now`, { cause });
  }
}

/** The letter is as it was written, but its rows cannot be understood; it stays in the queue. */
export class DeadLetterUndecodableError extends Error {
  override readonly name = 'DeadLetterUndecodableError';

  constructor(
    readonly id: string,
    cause: Error,
  ) {
    super(`the rows of dead letter ${id} cannot be understood: ${cause.message}`, { cause });
  }
}

type Envelope = Pick<DeadLetter, 'reason' | 'sqlstate' | 'detail' | 'refusedAt'>;

/** A letter as a file: one record (see spool.record.ts) of the length of the envelope, the envelope, and the rows. */
export function encodeLetter(letter: DeadLetter): Buffer[] {
  const { reason, sqlstate, detail, refusedAt, rows, time, payload } = letter;
  const envelope = Buffer.from(JSON.stringify({ reason, sqlstate, detail, refusedAt } satisfies Envelope));
  const size = Buffer.alloc(4);
  size.writeUInt32BE(envelope.length);
  const parts = [size, envelope, ...payload];
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return [encodeHeader({ sequence: 0, time, rows, length, payloadCrc: crcOf(parts) }), ...parts];
}

/** @throws DeadLetterDamagedError */
export function decodeLetter(id: string, bytes: Buffer): DeadLetter {
  const header = decodeHeader(bytes);
  const payload = bytes.subarray(HEADER_BYTES);
  if (header?.length !== payload.length || header.payloadCrc !== crcOf([payload]))
    throw new DeadLetterDamagedError(id);
  const envelopeEnd = 4 + payload.readUInt32BE();
  const envelope = JSON.parse(payload.toString('utf8', 4, envelopeEnd)) as Envelope;
  return {
    id,
    rows: header.rows,
    time: header.time,
    reason: envelope.reason,
    sqlstate: envelope.sqlstate,
    detail: envelope.detail,
    refusedAt: envelope.refusedAt,
    payload: [payload.subarray(envelopeEnd)],
  };
}
