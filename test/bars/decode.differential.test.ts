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
import { bodyOf } from './decode.arbitraries.js';

const RUNS = Number(process.env['MDS_TEST_FUZZ_RUNS'] ?? 2_000);
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

function expectAgreement(body: Buffer, format: BodyFormat, onError: OnRowError): string {
  const scanned = outcome(() => decodeBars(body, format, onError));
  const parsed = outcome(() => decodeStrictly(body, format, onError));
  if (scanned !== parsed) expect(scanned).toBe(parsed);
  return parsed;
}

describe('scanning and parsing', () => {
  it.each(FORMATS)(
    'agree on every %s body: the bars, bit for bit, and the errors',
    (format) => {
      let withBars = 0;
      fc.assert(
        fc.property(bodyOf(format), fc.boolean(), (body, skip) => {
          if (expectAgreement(body, format, skip ? 'skip' : 'abort').includes('"rows"')) withBars++;
        }),
        { numRuns: RUNS },
      );
      // Bodies that are all refused would prove nothing.
      expect(withBars).toBeGreaterThan(RUNS / 10);
    },
    Math.max(30_000, RUNS * 10),
  );
});
