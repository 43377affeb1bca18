import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import type { BarBatch } from '../../src/bars/bar.batch.js';
import { barBatchCodec } from '../../src/bars/bar.batch.codec.js';
import { Admission } from '../../src/bars/ingest/admission.js';
import { BodyDecoder } from '../../src/bars/ingest/body.decoder.js';
import { IngestService } from '../../src/bars/ingest/ingest.service.js';
import { ReceiptClock } from '../../src/bars/receipt.clock.js';
import { UPPER_CASE } from '../../src/bars/symbol.case.js';
import { TUPLE_BYTES } from '../../src/bars/tuple.js';
import type { WriteCounts } from '../../src/bars/write.counts.js';
import { DeadLetterQueue, DurableCoordinator, Spool } from '../../src/coordinator/index.js';
import { DrainState } from '../../src/http/drain.state.js';
import { diskThat } from '../coordinator/disk.js';
import { until } from '../coordinator/entries.js';
import { GOOD_ROW } from './decode.samples.js';

const LONGEST_WAIT_MS = 1_000;

let directory: string;
let release = (): void => undefined;
let breakDisk: () => void;
let hung: Promise<void> | undefined;
/** What a write to the database waits for. */
let committing: Promise<void> | undefined;
let coordinator: DurableCoordinator<BarBatch, WriteCounts>;
let ingest: IngestService;
let written: BarBatch[];
/** Rows in the buckets of the provider, and how often it was heard to deliver. */
const bucket = { rows: 1_000, successes: 0 };

/** A disk that confirms nothing for as long as it hangs. */
const files = diskThat(async (_path, write) => {
  const written = await write();
  await hung;
  return written;
});

beforeEach(async () => {
  written = [];
  directory = await mkdtemp(join(tmpdir(), 'mds-ingest-'));
  coordinator = new DurableCoordinator<BarBatch, WriteCounts>({
    id: 'test',
    capacity: 1_000,
    workers: 1,
    batchSize: 100,
    flushIntervalMs: 0,
    sink: {
      write: async (batches) => {
        await committing;
        written.push(...batches);
        return batches.map(({ rows }) => ({ inserted: rows, updated: 0, unchanged: 0, superseded: 0 }));
      },
    },
    codec: barBatchCodec,
    spool: await Spool.open<BarBatch>({
      directory: join(directory, 'spool'),
      maxBytes: 1e9,
      retainMs: 0,
      files,
    }),
    deadLetters: await DeadLetterQueue.open({ directory: join(directory, 'dlq') }),
  });
  coordinator.start();
  Object.assign(bucket, { rows: 1_000, successes: 0 });
  const buckets = {
    meet: () => undefined,
    isFree: () => false,
    tryAcquire: (_: string, rows: number) => (
      (bucket.rows -= rows),
      { granted: true as const, remaining: null }
    ),
    giveBack: (_: string, rows: number) => void (bucket.rows += rows),
    recordSuccess: () => {
      bucket.successes++;
    },
  };
  const admission = new Admission(buckets, () => 0);
  ingest = new IngestService(
    coordinator,
    new ReceiptClock(),
    new DrainState(),
    admission,
    new BodyDecoder(UPPER_CASE),
    LONGEST_WAIT_MS,
  );
});
afterEach(async () => {
  release();
  await coordinator.stop({ deadlineMs: 1_000 });
  await rm(directory, { recursive: true, force: true });
});

function hang(): void {
  hung = new Promise((resolve, reject) => {
    breakDisk = () => {
      hung = undefined;
      reject(Object.assign(new Error('i/o error'), { code: 'EIO' }));
    };
    release = () => {
      hung = undefined;
      resolve();
    };
  });
}

const post = (awaitCommit: boolean, body = Buffer.from(JSON.stringify(GOOD_ROW))) =>
  ingest.ingest({
    body,
    grant: undefined,
    contentType: 'application/x-ndjson',
    contentEncoding: undefined,
    onError: 'abort',
    onConflict: 'replace',
    awaitCommit,
    releaseRoom: undefined,
    room: undefined,
    gone: undefined,
  });

/** Three mebibytes: more than is decoded without a pause. */
const longBody = (rows: number) => {
  const note = '.'.repeat((3 * 1024 * 1024) / rows);
  const texts = Array.from({ length: rows }, (_, ts) =>
    JSON.stringify({ ...GOOD_ROW, ts: 1_704_153_600 + ts, note }),
  );
  return Buffer.from(texts.join('\n'));
};

describe('a long body', () => {
  it('is received when it is decoded: after a short one that comes meanwhile', async () => {
    const order: string[] = [];
    const long = post(true, longBody(800)).then(() => order.push('long'));
    const short = post(true).then(() => order.push('short'));
    await Promise.all([long, short]);
    expect(order).toEqual(['short', 'long']);
    expect(written.map(({ rows }) => rows)).toEqual([1, 800]);
    const [ofShort, ofLong] = written.map(({ receivedAt }) => receivedAt);
    expect(ofLong).toBeGreaterThan(ofShort ?? Infinity);
  });

  it('is decoded after the long ones before it, also after a bad one', async () => {
    const bodies = [longBody(100), longBody(1), Buffer.alloc(3_000_000, '{\n'), longBody(200)];
    const outcomes = await Promise.allSettled(bodies.map((body) => post(true, body)));
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected', 'fulfilled']);
    expect(written.map(({ rows }) => rows)).toEqual([100, 200]);
  });
});

describe('lines that gave way to another of their body', () => {
  const body = () => Buffer.from([1, 2, 2].map((close) => JSON.stringify({ ...GOOD_ROW, close })).join('\n'));

  it('take memory only while somebody waits for their counts', async () => {
    expect((await post(false, body())).accepted).toBe(3);
    expect((await post(true, body())).accepted).toBe(3);
    expect(written.map(({ rows, lines, repeated }) => [rows, lines, repeated?.length])).toEqual([
      [1, 3, undefined],
      [1, 3, 2 * TUPLE_BYTES],
    ]);
    hang();
    await expect(post(true, body())).rejects.toMatchObject({ code: 'spool-unavailable' });
    release();
    await until(() => written.length === 3);
    expect(written[2]?.repeated).toBeUndefined();
  });
});

describe('a disk that does not confirm in time', () => {
  it.each([false, true])(
    'is 503 spool-unavailable, may have stored the bars, and the books balance when it answers (ack=stored: %s)',
    async (awaitCommit) => {
      hang();
      await expect(post(awaitCommit)).rejects.toMatchObject({
        code: 'spool-unavailable',
        status: 503,
        detail: expect.stringMatching(/may still be stored/) as unknown,
      });
      expect(bucket).toEqual({ rows: 1_000, successes: 0 });
      expect(coordinator.snapshot().rows).toMatchObject({ accepted: 0, residual: 0 });

      release();
      await until(() => coordinator.snapshot().rows.committed === 1);
      expect(coordinator.snapshot().rows).toMatchObject({ accepted: 1, spooled: 0, residual: 0 });
      const { accepted, counts } = await post(awaitCommit);
      expect([accepted, counts?.inserted]).toEqual([1, awaitCommit ? 1 : undefined]);
      expect(bucket.rows).toBe(999);
    },
  );

  it.each([false, true])(
    'gives rows back once, though it fails later (ack=stored: %s)',
    async (awaitCommit) => {
      hang();
      await expect(post(awaitCommit)).rejects.toMatchObject({ code: 'spool-unavailable' });
      expect(bucket.rows).toBe(1_000);
      breakDisk();
      await until(() => coordinator.snapshot().spool.fault !== undefined);
      expect(bucket).toEqual({ rows: 1_000, successes: 0 });
    },
  );
});

describe('a commit that is not confirmed in time', () => {
  it('leaves the rows taken from the bucket, for the bars are safe and will be stored', async () => {
    let commit = (): void => undefined;
    committing = new Promise((resolve) => {
      commit = () => {
        committing = undefined;
        resolve();
      };
    });
    await expect(post(true)).rejects.toMatchObject({ code: 'commit-unconfirmed' });
    expect(bucket).toEqual({ rows: 999, successes: 1 });
    commit();
    await until(() => coordinator.snapshot().rows.committed === 1);
    expect(bucket).toEqual({ rows: 999, successes: 1 });
  });
});
