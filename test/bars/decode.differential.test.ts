/**
 * The scanners and the parsers agree on every body. A long run takes `MDS_TEST_FUZZ_RUNS` bodies of each format:
 * `MDS_TEST_FUZZ_RUNS=400000 npx jest test/bars/decode.differential`.
 */
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import {
  type BodyFormat,
  decodeBars,
  type DecodeResult,
  decodeStrictly,
  type OnRowError,
} from '../../src/bars/decode/bars.decoder.js';
import { SymbolCase, UPPER_CASE } from '../../src/bars/symbol.case.js';
import { bodyOf } from './decode.arbitraries.js';

const RUNS = Number(process.env['MDS_TEST_FUZZ_RUNS'] ?? 2_000);
/** For bodies in which a symbol is written in two ways. */
const SYMBOL_CASES = [UPPER_CASE, new SymbolCase(['ibkr']), new SymbolCase('*')];
const FORMATS: readonly BodyFormat[] = ['ndjson', 'json', 'csv'];

/** All that can be seen of what a decoder makes of a body, as one text. */
function outcome(decode: () => DecodeResult): string {
  try {
    const { batch, ...rest } = decode();
    if (batch === null) return JSON.stringify(rest);
    const { tuples, years, ...others } = batch;
    return `${JSON.stringify([rest, others, [...years]])} ${tuples.toString('hex')}`;
  } catch (error) {
    const { name, message } = error as Error;
    return `${name}: ${message}`;
  }
}

function expectAgreement(
  body: Buffer,
  format: BodyFormat,
  onError: OnRowError,
  symbolCase: SymbolCase,
): string {
  const scanned = outcome(() => decodeBars(body, format, onError, Infinity, symbolCase));
  const parsed = outcome(() => decodeStrictly(body, format, onError, Infinity, symbolCase));
  if (scanned !== parsed) expect(scanned).toBe(parsed);
  return parsed;
}

describe('scanning and parsing', () => {
  it.each(FORMATS)(
    'agree on every %s body: the bars, bit for bit, and the errors',
    (format) => {
      let withBars = 0;
      fc.assert(
        fc.property(
          bodyOf(format),
          fc.boolean(),
          fc.constantFrom(...SYMBOL_CASES),
          (body, skip, symbolCase) => {
            const parsed = expectAgreement(body, format, skip ? 'skip' : 'abort', symbolCase);
            if (parsed.includes('"rows"')) withBars++;
          },
        ),
        { numRuns: RUNS },
      );
      // Bodies that are all refused would prove nothing.
      expect(withBars).toBeGreaterThan(RUNS / 10);
    },
    Math.max(30_000, RUNS * 10),
  );
});
