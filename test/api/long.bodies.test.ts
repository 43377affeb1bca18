import { setTimeout as sleep } from 'node:timers/promises';

import { describe, expect, it } from '@jest/globals';

import { decodeBars } from '../../src/bars/decode/bars.decoder.js';
import { csvRow } from '../bars/decode.samples.js';
import { ServedDatabase, TYPES } from './api.samples.js';

const served = new ServedDatabase();

const SERIES = 250_000;
/** Of the time that this process takes to decode it. In one piece it was 0.35 and more, in turns 0.07. */
const LONGEST_SHARE = 0.2;
describe('a body of new series', () => {
  it('lets others be answered while it is decoded', async () => {
    const [header = ''] = csvRow().split('\n', 1);
    const rows = Array.from(
      { length: SERIES },
      (_, n) => `acme,S${n},1m,2026-01-02T00:00:00Z,1,2,0.5,1.5,${n}`,
    );
    const body = [header, ...rows, ''].join('\n');
    const from = performance.now();
    decodeBars(Buffer.from(body), 'csv', 'abort');
    const atOnceMs = performance.now() - from;

    const posting = served.service.post(body, TYPES.csv);
    const state = { isPosted: false };
    void posting.finally(() => (state.isPosted = true));
    let longestMs = 0;
    while (!state.isPosted) {
      const asked = performance.now();
      expect((await served.service.fetch('/livez')).status).toBe(200);
      longestMs = Math.max(longestMs, performance.now() - asked);
      await sleep(5);
    }
    expect((await posting).json).toMatchObject({ accepted: SERIES });
    expect(longestMs).toBeLessThan(LONGEST_SHARE * atOnceMs);
  });
});
