import { describe, expect, it } from '@jest/globals';

import { BodyDecoder } from '../../src/bars/ingest/body.decoder.js';
import { UPPER_CASE } from '../../src/bars/symbol.case.js';
import { GOOD_ROW } from './decode.samples.js';

/** NDJSON of so many bytes at least. */
function bodyOf(rows: number, bytes: number): Buffer {
  const note = '.'.repeat(Math.ceil(bytes / rows));
  const lines = Array.from({ length: rows }, (_, at) =>
    JSON.stringify({ ...GOOD_ROW, ts: 1_704_153_600 + at, note }),
  );
  return Buffer.from(lines.join('\n'));
}

describe('the decoder of bodies', () => {
  it('finishes a long body before it begins the next, and a bad one keeps none from its turn', async () => {
    const decoder = new BodyDecoder(UPPER_CASE);
    const order: string[] = [];
    const decode = async (name: string, body: Buffer): Promise<void> => {
      try {
        await decoder.decode(body, 'ndjson', 'abort', Infinity);
      } finally {
        order.push(name);
      }
    };
    const work = [
      decode('slow', bodyOf(60_000, 1_000_000)),
      decode('bad', Buffer.alloc(2_200_000, '{\n')),
      decode('fast', bodyOf(100, 2_200_000)),
      decode('short', bodyOf(1, 10)),
    ];
    await Promise.allSettled(work);
    expect(order).toEqual(['short', 'slow', 'bad', 'fast']);
  });

  it('gives up a long body whose client has gone: one that waits at once, one that is decoded at its next pause', async () => {
    const decoder = new BodyDecoder(UPPER_CASE);
    const gone = new AbortController();
    const decode = (body: Buffer) =>
      decoder.decode(body, 'ndjson', 'abort', Infinity, 'replace', gone.signal);
    const work = Promise.allSettled([decode(bodyOf(60_000, 1_000_000)), decode(bodyOf(100, 2_200_000))]);
    const next = decoder.decode(bodyOf(100, 2_200_000), 'ndjson', 'abort', Infinity);
    gone.abort(new Error('the client has gone'));
    expect(await work).toMatchObject([1, 2].map(() => ({ reason: { message: 'the client has gone' } })));
    expect(await next).toMatchObject({ batch: { rows: 100 } });
  });
});
