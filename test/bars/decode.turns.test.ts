import { describe, expect, it } from '@jest/globals';

import {
  type BodyFormat,
  decodeBars,
  decodeBarsInTurns,
  type DecodeResult,
  decodeStrictly,
} from '../../src/bars/decode/bars.decoder.js';
import { csvRow, jsonRow, secondsAfter } from './decode.samples.js';

const ROWS = 30_000;
const BAD_ROWS = 30;
const HEADER = `${csvRow().split('\n', 1)[0] ?? ''}\n`;

/** Bodies from two times have the same length, row by row: who reads one in place of the other notices nothing. */
type FirstTs = 10_000 | 50_000;

/** Rows of 20,000 series in two spellings. */
function rows(
  firstTs: FirstTs,
  make: (texts: { symbol: string; ts: string; volume: string }) => string,
): string[] {
  return Array.from({ length: ROWS }, (_, row) =>
    make({
      symbol: `${row % 2 === 0 ? 'spy' : 'SPY'}${row % 20_000}`,
      ts: secondsAfter(firstTs + row),
      volume: row % (ROWS / BAD_ROWS) === 0 ? '-1' : '5',
    }),
  );
}

const records = (firstTs: FirstTs) => rows(firstTs, (texts) => csvRow(texts).slice(HEADER.length)).join('');
const objects = (firstTs: FirstTs) =>
  rows(firstTs, ({ symbol, ...numbers }) => jsonRow({ symbol: `"${symbol}"`, ...numbers }));

const BODIES: readonly (readonly [string, BodyFormat, (firstTs: FirstTs) => string])[] = [
  ['CSV', 'csv', (firstTs) => HEADER + records(firstTs)],
  ['NDJSON', 'ndjson', (firstTs) => objects(firstTs).join('\n')],
  ['a JSON array', 'json', (firstTs) => `[${objects(firstTs).join(',')}]`],
  ['an unusual JSON object', 'json', (firstTs) => `{"note":[1,2],"bars":[${objects(firstTs).join(',')}]}`],
];

const turn = () => new Promise(setImmediate);

/** Counts the turns that others get until the work is done. */
async function turnsDuring(work: Promise<unknown>, each: (turns: number) => void): Promise<number> {
  const state = { isDone: false };
  const done = work.finally(() => (state.isDone = true));
  let turns = 0;
  while (!state.isDone) {
    await turn();
    each(++turns);
  }
  await done;
  return turns;
}

/** Jest takes seconds to compare two buffers of this size. */
function comparable(result: DecodeResult): unknown {
  return { ...result, batch: { ...result.batch, tuples: result.batch?.tuples.toString('latin1') } };
}

describe('a body that is decoded in turns', () => {
  it.each(BODIES)(
    'of %s gives the same as one decoded alone, and lets others work',
    async (_, format, text) => {
      const [first, second] = [Buffer.from(text(10_000)), Buffer.from(text(50_000))];
      const ofFirst = decodeBarsInTurns(first, format, 'skip');
      await turn();
      // It begins while the other is in its midst.
      const ofSecond = decodeBarsInTurns(second, format, 'skip');
      const turns = await turnsDuring(Promise.all([ofFirst, ofSecond]), (turns) => {
        if (turns % 3 === 0) decodeBars(Buffer.from(csvRow()), 'csv', 'skip');
      });
      expect(turns).toBeGreaterThan(2);
      for (const [body, result] of [
        [first, await ofFirst],
        [second, await ofSecond],
      ] as const) {
        expect([result.batch?.rows, result.rejected]).toEqual([ROWS - BAD_ROWS, BAD_ROWS]);
        expect(comparable(result)).toEqual(comparable(decodeStrictly(body, format, 'skip')));
      }
    },
  );

  it('of nothing but blank lines lets others work', async () => {
    const blank = `${' '.repeat(999)}\n`;
    const decoding = decodeBarsInTurns(Buffer.alloc(4_000_000, blank), 'ndjson', 'skip');
    expect(await turnsDuring(decoding, () => undefined)).toBeGreaterThan(2);
  });
});
