import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';

import type { BarBatch } from '../../src/bars/bar.batch.js';
import { BarBatchBuilder } from '../../src/bars/bar.batch-builder.js';
import type { WriteCounts } from '../../src/bars/write.counts.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { keep, type KeyHistory, type Version, write } from './history.model.js';
import { openSink, type OpenSink } from './sinks.js';

const DAY_US = 86_400_000_000;
const FIRST_DAY = Date.UTC(2026, 0, 5) * 1000;
const RECEIVED = Date.UTC(2026, 5, 1) * 1000;

let test: TestDatabase;
let sinks: OpenSink[];

beforeAll(async () => {
  test = await createDatabase();
  sinks = await Promise.all([openSink(test.url), openSink(test.url)]);
});
afterAll(async () => {
  await Promise.all(sinks.map(({ close }) => close()));
  await test.drop();
});

/** A line of a body. */
interface Line {
  readonly day: number;
  readonly values: Version['values'];
}

/**
 * A body: when it was received, by clocks that are frozen and equal, whether it keeps what is stored, and its lines, of
 * which several may be of one day.
 */
interface Body {
  readonly keeps: boolean;
  readonly at: number;
  readonly lines: readonly Line[];
}

/** Bodies that one of the sinks writes together. */
interface Commit {
  readonly sink: number;
  readonly bodies: readonly Body[];
}

const values = fc.tuple(fc.integer({ min: 1, max: 2 }), fc.integer({ min: 1, max: 2 }));
/** Bodies of one time all keep, or all replace: of two replicas whose bodies differ in it the later one is not known. */
const body: fc.Arbitrary<Body> = fc
  .record({
    at: fc.integer({ min: 1, max: 10 }),
    lines: fc.array(fc.record({ day: fc.nat({ max: 2 }), values }), { minLength: 1, maxLength: 5 }),
  })
  .map((one) => ({ ...one, keeps: one.at % 3 === 0 }));
/** Bodies in an order of their own, some of them twice, cut into what is committed together. */
const commits: fc.Arbitrary<Commit[]> = fc.array(body, { minLength: 1, maxLength: 10 }).chain((bodies) =>
  fc
    .record({
      order: fc.array(fc.nat({ max: bodies.length - 1 }), { maxLength: 4 }).chain((again) =>
        fc.shuffledSubarray([...bodies.keys(), ...again], {
          minLength: bodies.length + again.length,
        }),
      ),
      cuts: fc.infiniteStream(
        fc.record({ length: fc.integer({ min: 1, max: 4 }), sink: fc.nat({ max: 1 }) }),
      ),
    })
    .map(({ order, cuts }) => {
      const result: Commit[] = [];
      for (let at = 0; at < order.length;) {
        const { length, sink } = cuts.next().value as { length: number; sink: number };
        result.push({ sink, bodies: order.slice(at, at + length).flatMap((index) => bodies[index] ?? []) });
        at += length;
      }
      return result;
    }),
);

let runs = 0;

/** The lines of a body that are written: of each day the last, or the first of a body that keeps what is stored. */
function barsOf({ keeps, lines }: Body): Line[] {
  const ordered = keeps ? lines.toReversed() : lines;
  return [...new Map(ordered.map((line) => [line.day, line])).values()];
}

/** Notes the versions of a body. @returns whether all were new */
function noteVersions(seen: Set<string>, body: Body): boolean {
  const { at } = body;
  const bars = barsOf(body);
  const before = seen.size;
  for (const { day, values } of bars) seen.add(`${day} ${at} ${values.join()}`);
  return seen.size === before + bars.length;
}

function batchOf(symbol: string, { at, keeps, lines }: Body): BarBatch {
  const builder = new BarBatchBuilder(Infinity, undefined, keeps ? 'keep' : 'replace');
  for (const {
    day,
    values: [open, close],
  } of lines)
    builder.add('test', symbol, '1d', FIRST_DAY + day * DAY_US, open, 9, 0, close, 5);
  return Object.assign(builder.finish(), { receivedAt: RECEIVED + at });
}

async function commit(symbol: string, { sink, bodies }: Commit): Promise<readonly WriteCounts[]> {
  const batches = bodies.map((one) => batchOf(symbol, one));
  for (;;) {
    try {
      return (await sinks[sink]?.sink.write(batches)) ?? [];
    } catch (error) {
      // Two writers may insert the same new bars and lock others; the coordinator tries again as this does.
      if ((error as { code?: string }).code !== '40P01') throw error;
    }
  }
}

/** What a commit brings for a day, by whether it keeps what is stored. */
function versionsOf({ bodies }: Commit, day: number, keeps: boolean): Version[] {
  return bodies
    .filter((one) => one.keeps === keeps)
    .flatMap((one) => barsOf(one).map((bar) => ({ ...bar, at: one.at })))
    .filter((version) => version.day === day);
}

/** The values of the lines that gave way to another of their body. */
function repeatedOf({ bodies }: Commit, day: number, keeps: boolean): Version['values'][] {
  return bodies
    .filter((one) => one.keeps === keeps)
    .flatMap((one) => {
      const bars = barsOf(one);
      return one.lines.filter((line) => !bars.includes(line));
    })
    .filter((line) => line.day === day)
    .map((line) => line.values);
}

/** All spans of a day as SQL has them: from, until, open, close. */
async function spansOf(symbol: string, day: number): Promise<(number | null)[][]> {
  const rows = await test.query<{ from: string; until: string | null; open: number; close: number }>(
    `SELECT open, close, extract(epoch FROM received_at) * 1000000 AS from,
            extract(epoch FROM superseded_at) * 1000000 AS until
       FROM (SELECT series_id, ts, open, close, received_at, superseded_at FROM bar_revisions
             UNION ALL SELECT series_id, ts, open, close, received_at, NULL FROM bars) AS versions
       JOIN series ON series.id = series_id
      WHERE symbol = $1 AND ts = to_timestamp($2) ORDER BY received_at, superseded_at`,
    [symbol, (FIRST_DAY + day * DAY_US) / 1e6],
  );
  const offset = (text: string) => Math.round(Number(text)) - RECEIVED;
  return rows.map(({ from, until, open, close }) => [
    offset(from),
    until === null ? null : offset(until),
    open,
    close,
  ]);
}

function spansIn(history: KeyHistory | undefined): (number | null)[][] {
  const versions = history?.versions ?? [];
  return versions.map(({ at, values: [open, close] }, index) => [
    at,
    versions[index + 1]?.at ?? null,
    open,
    close,
  ]);
}

describe('two sinks whose clocks are frozen and equal', () => {
  it('write the bars and the whole history of a simple model, and count as it does', async () => {
    await fc.assert(
      fc.asyncProperty(commits, async (plan) => {
        const symbol = `MODEL${++runs}`;
        const days = new Map<number, KeyHistory>();
        const seen = new Set<string>();
        for (const one of plan) {
          const isNew = one.bodies.map((body) => noteVersions(seen, body)).every(Boolean);
          const expected = { inserted: 0, updated: 0, superseded: 0 };
          for (const day of new Set(one.bodies.flatMap(({ lines }) => lines.map((line) => line.day)))) {
            for (const keeps of [false, true]) {
              const came = versionsOf(one, day, keeps);
              if (came.length === 0) continue;
              const made = (keeps ? keep : write)(days.get(day), came);
              days.set(day, made.history);
              expected.inserted += made.inserted;
              expected.updated += made.updated;
              const stored = made.history.versions.at(-1)?.values.join();
              const others = repeatedOf(one, day, keeps).filter((values) => values.join() !== stored);
              expected.superseded += made.superseded + others.length;
            }
          }
          const counts = await commit(symbol, one);
          counts.forEach(({ inserted, updated, unchanged, superseded }, index) => {
            expect(inserted + updated + unchanged + superseded).toBe(one.bodies[index]?.lines.length);
            expect(Math.min(inserted, updated, unchanged, superseded)).toBeGreaterThanOrEqual(0);
          });
          // Versions that are there already are counted as by the first try, of which the model knows nothing.
          if (isNew) {
            const sum = (of: keyof typeof expected) => counts.reduce((total, count) => total + count[of], 0);
            expect({
              inserted: sum('inserted'),
              updated: sum('updated'),
              superseded: sum('superseded'),
            }).toEqual(expected);
          }
          for (const day of [0, 1, 2]) expect(await spansOf(symbol, day)).toEqual(spansIn(days.get(day)));
        }
      }),
      { numRuns: 120 },
    );
  });

  it('end with the greatest version and a history without gaps when they write at once', async () => {
    await fc.assert(
      fc.asyncProperty(commits, async (plan) => {
        const symbol = `ATONCE${++runs}`;
        const turns = [0, 1].map((sink) => plan.filter((one) => one.sink === sink));
        await Promise.all(
          turns.map(async (turn) => {
            for (const one of turn) await commit(symbol, one);
          }),
        );
        for (const day of [0, 1, 2]) {
          const came = plan.flatMap((one) => versionsOf(one, day, false));
          const kept = plan.flatMap((one) => versionsOf(one, day, true));
          const spans = await spansOf(symbol, day);
          const stored = spans.at(-1)?.slice(2);
          // Without any that replaces it is one of those that keep: the one that was committed first.
          if (came.length === 0)
            expect([undefined, ...kept.map(({ values }) => values)]).toContainEqual(stored);
          else expect(stored).toEqual(spansIn(write(undefined, came).history).at(-1)?.slice(2));
          expect(spans.length).toBeGreaterThanOrEqual(came.length + kept.length > 0 ? 1 : 0);
          spans.forEach(([from = 0, until = 0], index) => {
            expect(until).toBe(spans[index + 1]?.[0] ?? null);
            if (until !== null) expect(until).toBeGreaterThan(from ?? 0);
          });
        }
      }),
      { numRuns: 80 },
    );
  });
});
