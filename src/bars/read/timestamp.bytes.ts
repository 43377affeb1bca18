import { POSTGRES_EPOCH_US } from '../tuple.js';

/** Most bytes that a time takes up. */
export const TIMESTAMP_BYTES = 27;

const ZERO = 0x30;
const DASH = 0x2d;
const COLON = 0x3a;
const POINT = 0x2e;
const T = 0x54;
const Z = 0x5a;
const SECOND_US = 1_000_000;
const DAY_US = 86_400 * SECOND_US;
const POSTGRES_EPOCH_DAY = POSTGRES_EPOCH_US / DAY_US;
/** From 0000-03-01, with which the calendar's cycle of 400 years begins when the leap day is the last of a year. */
const UNIX_EPOCH_DAY = 719_468;
const CYCLE_DAYS = 146_097;

/**
 * Writes a time, counted in microseconds from 2000-01-01T00:00:00Z, as formatTimestamp() gives it, and returns where
 * it ends.
 */
export function writeTimestamp(micros: number, target: Buffer, at: number): number {
  const day = Math.floor(micros / DAY_US);
  const ofDay = micros - day * DAY_US;
  const seconds = Math.floor(ofDay / SECOND_US);
  const fraction = ofDay - seconds * SECOND_US;
  const minutes = (seconds / 60) | 0;
  const hours = (minutes / 60) | 0;
  writeDate(day + POSTGRES_EPOCH_DAY, target, at);
  target[at + 10] = T;
  writeDigits(hours, 2, target, at + 11);
  target[at + 13] = COLON;
  writeDigits(minutes - hours * 60, 2, target, at + 14);
  target[at + 16] = COLON;
  writeDigits(seconds - minutes * 60, 2, target, at + 17);
  let end = at + 19;
  if (fraction > 0) {
    const millis = (fraction / 1_000) | 0;
    const isWhole = millis * 1_000 === fraction;
    target[end] = POINT;
    writeDigits(isWhole ? millis : fraction, isWhole ? 3 : 6, target, end + 1);
    end += isWhole ? 4 : 7;
  }
  target[end] = Z;
  return end + 1;
}

/** `YYYY-MM-DD` of a day counted from 1970-01-01, in the Gregorian calendar. */
function writeDate(unixDay: number, target: Buffer, at: number): void {
  const day = unixDay + UNIX_EPOCH_DAY;
  const cycle = (day / CYCLE_DAYS) | 0;
  const ofCycle = day - cycle * CYCLE_DAYS;
  // Leap days come every 4 years, but not after 100, and yet after 400.
  const leaps = ((ofCycle / 1_460) | 0) - ((ofCycle / 36_524) | 0) + ((ofCycle / 146_096) | 0);
  const yearOfCycle = ((ofCycle - leaps) / 365) | 0;
  const ofYear = ofCycle - (365 * yearOfCycle + (yearOfCycle >> 2) - ((yearOfCycle / 100) | 0));
  // From March on the lengths of the months repeat every 5 months, which have 153 days.
  const monthFromMarch = ((5 * ofYear + 2) / 153) | 0;
  const isNextYear = monthFromMarch >= 10;
  writeDigits(cycle * 400 + yearOfCycle + (isNextYear ? 1 : 0), 4, target, at);
  target[at + 4] = DASH;
  writeDigits(monthFromMarch + (isNextYear ? -9 : 3), 2, target, at + 5);
  target[at + 7] = DASH;
  writeDigits(ofYear - (((153 * monthFromMarch + 2) / 5) | 0) + 1, 2, target, at + 8);
}

function writeDigits(value: number, width: number, target: Buffer, at: number): void {
  for (let place = at + width - 1; place >= at; place--) {
    const quotient = (value / 10) | 0;
    target[place] = ZERO + value - quotient * 10;
    value = quotient;
  }
}
