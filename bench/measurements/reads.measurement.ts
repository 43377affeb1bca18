import { instant, PROVIDER, symbolName } from '../data/bar.block.js';
import { type Comparison, type Figure, type Measurement, median } from '../measurement.js';

const SYMBOLS = 1_000;
const MINUTES = 500;
const DAYS = 366;
const TIMES = 100;

const LATEST = `
  SELECT provider, symbol, interval, newest.* FROM series CROSS JOIN LATERAL (
    SELECT ts, open, high, low, close, volume FROM bars
     WHERE series_id = series.id ORDER BY ts DESC LIMIT 1
  ) AS newest
  WHERE provider = $1 AND interval = $2 AND symbol = ANY ($3::text[])`;
const RANGE = `
  SELECT ts, open, high, low, close, volume FROM bars
   WHERE series_id = (SELECT id FROM series WHERE provider = $1 AND interval = $2 AND symbol = $3)
     AND ts >= $4 AND ts < $5 ORDER BY ts`;

/** The newest bar of 1,000 symbols and a year of daily bars of one, against the bare SQL. */
export const measureReads: Measurement = async (rig, { rounds, scale }, tell) => {
  const { databaseUrl } = rig;
  const service = await rig.startService();
  const minutes = Math.round(MINUTES * scale);
  const times = Math.ceil(TIMES * scale);
  await rig.clear();
  for (const [interval, count] of [
    ['1m', minutes],
    ['1d', DAYS],
  ] as const) {
    const block = { symbols: SYMBOLS, firstMinute: 0, minutes: count };
    await rig.load.run('copy', { databaseUrl, block, connections: 2, into: 'bars', interval });
  }
  await rig.query('VACUUM ANALYZE bars');
  await rig.query('ANALYZE series');
  await rig.settle();

  const names = Array.from({ length: SYMBOLS }, (_, symbol) => symbolName(symbol));
  const symbol = symbolName(SYMBOLS / 2);
  const [start, end] = [instant(0, '1d').toISOString(), instant(DAYS, '1d').toISOString()];
  const questions = [
    {
      name: `latest of ${SYMBOLS} symbols`,
      path: `/v1/bars/latest?provider=${PROVIDER}&interval=1m&symbols=${names.join(',')}`,
      sql: LATEST,
      values: [PROVIDER, '1m', names],
      expected: SYMBOLS,
    },
    {
      name: 'a year of daily bars of one symbol',
      path: `/v1/bars?provider=${PROVIDER}&interval=1d&symbols=${symbol}&start=${start}&end=${end}`,
      sql: RANGE,
      values: [PROVIDER, '1d', symbol, start, end],
      expected: DAYS,
    },
  ];
  const figures: Figure[] = [];
  const comparisons: Comparison[] = [];
  for (const { name, path, sql, values, expected } of questions) {
    const ours: number[] = [];
    const theirs: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const { token } = service.target();
      const url = `${service.url}${path}`;
      const asked = { url, token, databaseUrl, sql, values, times, expected };
      const taken = await rig.load.run('ask', asked);
      ours.push(median(taken.service));
      theirs.push(median(taken.sql));
    }
    tell(name);
    figures.push(
      { name: `${name}, the service`, unit: 'ms', samples: ours },
      { name: `${name}, bare SQL`, unit: 'ms', samples: theirs },
    );
    const samples = ours.map((value, round) => value / (theirs[round] ?? NaN));
    comparisons.push({ name: `${name} / bare SQL`, samples, unit: 'x', better: 'lower', goal: 2, floor: 2 });
  }
  await service.stop();
  return {
    figures,
    comparisons,
    notes: [
      `${minutes * SYMBOLS} one-minute and ${DAYS * SYMBOLS} daily bars; ${times} questions in turns, one at a time, medians of a round; both answers are parsed. The statements are prepared; the service knows the id of the one symbol from the question before.`,
    ],
  };
};
