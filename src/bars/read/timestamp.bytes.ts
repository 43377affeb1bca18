import { formatTimestamp } from '../timestamp.js';
import { POSTGRES_EPOCH_US } from '../tuple.js';

/** Most bytes that a time takes up. */
export const TIMESTAMP_BYTES = 27;

const ZERO = 0x30;
const COLON = 0x3a;
const POINT = 0x2e;
const Z = 0x5a;
const TWO_32 = 2 ** 32;
const SECOND_US = 1_000_000;
const DAY_US = 86_400 * SECOND_US;
/** `YYYY-MM-DDT` */
const DATE_BYTES = 11;

/** Writes PostgreSQL's binary timestamps as formatTimestamp() does; the date is made once while it stays the same. */
export class TimestampWriter {
  private readonly date = Buffer.alloc(DATE_BYTES);
  private dayStart = NaN;

  /** Writes the timestamptz at `from` of `source`, and returns where its text ends. */
  write(source: Buffer, from: number, target: Buffer, at: number): number {
    const micros = source.readInt32BE(from) * TWO_32 + source.readUInt32BE(from + 4);
    let ofDay = micros - this.dayStart;
    if (!(ofDay >= 0 && ofDay < DAY_US)) {
      this.dayStart = Math.floor(micros / DAY_US) * DAY_US;
      ofDay = micros - this.dayStart;
      this.date.write(formatTimestamp(this.dayStart + POSTGRES_EPOCH_US).slice(0, DATE_BYTES), 'latin1');
    }
    for (let index = 0; index < DATE_BYTES; index++) target[at + index] = this.date[index] ?? 0;
    const seconds = Math.floor(ofDay / SECOND_US);
    const fraction = ofDay - seconds * SECOND_US;
    const minutes = (seconds / 60) | 0;
    const hours = (minutes / 60) | 0;
    writeDigits(hours, 2, target, at + 11);
    target[at + 13] = COLON;
    writeDigits(minutes - hours * 60, 2, target, at + 14);
    target[at + 16] = COLON;
    writeDigits(seconds - minutes * 60, 2, target, at + 17);
    let end = at + 19;
    if (fraction > 0) {
      target[end++] = POINT;
      const isMillis = fraction % 1_000 === 0;
      const width = isMillis ? 3 : 6;
      writeDigits(isMillis ? fraction / 1_000 : fraction, width, target, end);
      end += width;
    }
    target[end] = Z;
    return end + 1;
  }
}

function writeDigits(value: number, width: number, target: Buffer, at: number): void {
  for (let place = at + width - 1; place >= at; place--) {
    const quotient = (value / 10) | 0;
    target[place] = ZERO + value - quotient * 10;
    value = quotient;
  }
}
