import { crc32 } from 'node:zlib';

/** A slot is a block of the disk: a write of it that is cut short leaves the other as it was. */
export const SLOT_BYTES = 4_096;

const CRC_AT = 12;
const LEDGER_AT = 16;
const LENGTH_AT = LEDGER_AT + 4;
const LEDGER_CRC_AT = LENGTH_AT + 4;
const TEXT_AT = LEDGER_CRC_AT + 4;
const MAGIC = Buffer.from('MDSC', 'latin1');
const LEDGER_MAGIC = Buffer.from('MDSL', 'latin1');
const TWO_32 = 2 ** 32;

/** The totals that outlive the process. They are of one moment, and belong to the checkpoint beside them. */
export interface LedgerRecord {
  /** Counts the writes of the checkpoint: of two slots the one with the larger number is newer. */
  readonly serial: number;
  /** `accepted` counts records below this sequence number. */
  readonly next: number;
  readonly accepted: number;
  /** Rows of records that will not be read again: those below the checkpoint, and those in `settledSegments`. */
  readonly committed: number;
  readonly deadLettered: number;
  /** Rows given up on the operator's word. */
  readonly lost: number;
  /** Bytes were given up whose rows are not known: what is missing at the next start counts as lost. */
  readonly lossUnknown: boolean;
  /** The newest time of receipt, Unix epoch microseconds. */
  readonly newestTime: number;
  /** Segments, by their first numbers, that lie above the checkpoint and are settled. */
  readonly settledSegments: readonly number[];
  /** Records from the checkpoint on and below this number are replayed: they count as accepted once more. */
  readonly replayUntil: number;
}

/** What a slot of the checkpoint says. */
export interface CheckpointSlot {
  /** Records below it are settled. Undefined in a slot that was never written, or is damaged. */
  readonly sequence: number | undefined;
  /** Undefined in a slot of a version without a ledger. */
  readonly ledger: LedgerRecord | undefined;
  readonly damaged: boolean;
}

/**
 * A checkpoint as a block with checksums. The first 16 bytes are the sequence number as versions without a ledger wrote
 * it; they can read it still.
 */
export function encodeSlot(sequence: number, ledger?: LedgerRecord): Buffer {
  const slot = Buffer.alloc(SLOT_BYTES);
  MAGIC.copy(slot);
  slot.writeUInt32BE(Math.floor(sequence / TWO_32), 4);
  slot.writeUInt32BE(sequence % TWO_32, 8);
  slot.writeUInt32BE(crc32(slot.subarray(0, CRC_AT)), CRC_AT);
  if (ledger === undefined) return slot;
  LEDGER_MAGIC.copy(slot, LEDGER_AT);
  const text = Buffer.from(JSON.stringify(ledger), 'latin1');
  if (TEXT_AT + text.length > SLOT_BYTES) throw new Error('the ledger does not fit into its block');
  text.copy(slot, TEXT_AT);
  slot.writeUInt32BE(text.length, LENGTH_AT);
  slot.writeUInt32BE(crc32(text, crc32(slot.subarray(0, LEDGER_CRC_AT))), LEDGER_CRC_AT);
  return slot;
}

/** Whatever is neither a checkpoint nor blank is damage, also in the bytes that are always zero. */
export function decodeSlot(slot: Buffer): CheckpointSlot {
  const damaged = { sequence: undefined, ledger: undefined, damaged: true };
  if (slot.every((byte) => byte === 0)) return { ...damaged, damaged: false };
  const whole = slot.length === SLOT_BYTES && slot.subarray(0, MAGIC.length).equals(MAGIC);
  if (!whole || crc32(slot.subarray(0, CRC_AT)) !== slot.readUInt32BE(CRC_AT)) return damaged;
  const sequence = slot.readUInt32BE(4) * TWO_32 + slot.readUInt32BE(8);
  if (isBlank(slot, LEDGER_AT)) return { sequence, ledger: undefined, damaged: false };
  const ledger = decodeLedger(slot);
  return { sequence, ledger, damaged: ledger === undefined };
}

function decodeLedger(slot: Buffer): LedgerRecord | undefined {
  const length = slot.readUInt32BE(LENGTH_AT);
  const end = TEXT_AT + length;
  if (!slot.subarray(LEDGER_AT, LENGTH_AT).equals(LEDGER_MAGIC) || end > SLOT_BYTES) return undefined;
  const text = slot.subarray(TEXT_AT, end);
  const crc = crc32(text, crc32(slot.subarray(0, LEDGER_CRC_AT)));
  if (crc !== slot.readUInt32BE(LEDGER_CRC_AT) || !isBlank(slot, end)) return undefined;
  return JSON.parse(text.toString('latin1')) as LedgerRecord;
}

function isBlank(slot: Buffer, from: number): boolean {
  return slot.subarray(from).every((byte) => byte === 0);
}
