import type { BarBlock } from '../data/bar.block.js';
import { rowsOf } from '../data/bar.block.js';
import { type Comparison, type Figure, type Measurement, ratios, type Skipped } from '../measurement.js';

const SYMBOLS = 1_000;
const MINUTES = 500;
const CLIENTS = 4;
const MS = 1_000;

/** New bars, against other systems and against PostgreSQL without the service. */
export const measureIngest: Measurement = async (rig, { rounds, scale }, tell) => {
  const service = await rig.startService();
  const victoria = await rig.startVictoriaMetrics();
  const influx = await rig.startInflux();
  const minutes = Math.round(MINUTES * scale);
  const rates = {
    acknowledged: [] as number[],
    committed: [] as number[],
    victoria: [] as number[],
    influx: [] as number[],
    binary: [] as number[],
    text: [] as number[],
  };
  const loopDelays: number[] = [];

  // The round before the first is not counted: code is compiled, series and partitions are made.
  for (let round = -1; round < rounds; round += 1) {
    const block: BarBlock = { symbols: SYMBOLS, firstMinute: (round + 1) * minutes, minutes };
    const rows = rowsOf(block);
    const keep = (samples: number[], seconds: number): void => {
      if (round >= 0) samples.push(rows / seconds);
    };
    await rig.clear();
    await service.metric('nodejs_eventloop_lag_p99_seconds');
    const ours = await rig.load.run('post', { target: service.target(), block, clients: CLIENTS });
    if (round >= 0) loopDelays.push((await service.metric('nodejs_eventloop_lag_p99_seconds')) * MS);
    keep(rates.acknowledged, ours.answeredSeconds);
    keep(rates.committed, ours.committedSeconds);
    for (const [contestant, samples] of [
      [victoria, rates.victoria],
      [influx, rates.influx],
    ] as const) {
      if ('absent' in contestant) continue;
      const { target } = contestant;
      keep(samples, (await rig.load.run('post', { target, block, clients: CLIENTS })).answeredSeconds);
    }
    for (const [into, connections, samples] of [
      ['bars', 2, rates.binary],
      ['earlier', 1, rates.text],
    ] as const) {
      await rig.clear();
      const { databaseUrl } = rig;
      keep(samples, (await rig.load.run('copy', { databaseUrl, block, connections, into })).seconds);
    }
    tell(round < 0 ? 'warmed up' : `round ${round + 1} of ${rounds}`);
  }
  await service.stop();

  const figures: Figure[] = [
    figure('the service, acknowledged durable', rates.acknowledged),
    figure('the service, committed in PostgreSQL', rates.committed),
    figure('binary COPY into bars, 2 connections', rates.binary),
    figure('text COPY into the earlier table, 1 connection', rates.text),
  ];
  const comparisons: Comparison[] = [
    against('committed / binary COPY', rates.committed, rates.binary, 0.75, 0.65),
    against('committed / text COPY, earlier table', rates.committed, rates.text, 2, 1.6),
  ];
  const skipped: Skipped[] = [];
  if ('absent' in victoria) {
    skipped.push({ name: 'acknowledged / VictoriaMetrics', reason: victoria.absent });
  } else {
    figures.push(figure('VictoriaMetrics, answered (in memory)', rates.victoria));
    comparisons.unshift(
      against('acknowledged / VictoriaMetrics', rates.acknowledged, rates.victoria, 1.2, 1),
    );
  }
  if ('absent' in influx) {
    skipped.push({ name: 'committed / InfluxDB', reason: influx.absent });
  } else {
    figures.push(figure('InfluxDB, answered (in its WAL)', rates.influx));
    comparisons.splice(-2, 0, against('committed / InfluxDB', rates.committed, rates.influx, 1.2, 1));
  }
  figures.push({ name: 'event-loop delay p99 under this load', unit: 'ms', samples: loopDelays });
  return {
    figures,
    comparisons,
    skipped,
    notes: [
      `${minutes * SYMBOLS} one-minute bars of ${SYMBOLS} symbols, batches of 5,000 from ${CLIENTS} clients; every contestant begins with empty tables.`,
      'The other systems get the same bars in InfluxDB line protocol from the same load process.',
      'The event-loop delay is what the service tells of itself: it includes the 10 ms of the timer that measures it.',
    ],
  };
};

function figure(name: string, samples: number[]): Figure {
  return { name, unit: 'rows/s', samples };
}

function against(name: string, ours: number[], theirs: number[], goal: number, floor: number): Comparison {
  return { name, samples: ratios(ours, theirs), unit: 'x', better: 'higher', goal, floor };
}
