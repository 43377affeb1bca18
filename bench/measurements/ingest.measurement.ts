import { setTimeout as sleep } from 'node:timers/promises';

import type { Absent, Contestant, Installed } from '../contestants/contestant.js';
import { type BarBlock, rowsOf } from '../data/bar.block.js';
import { type Comparison, type Figure, type Measurement, ratios, type Skipped } from '../measurement.js';

const SYMBOLS = 1_000;
const MINUTES = 500;
const CLIENTS = 4;
const MS = 1_000;
/** What the other systems do after their answer must not fall into somebody else's turn. */
const REST_MS = 1_000;
const LOOP_DELAY = 'nodejs_eventloop_lag_p99_seconds';
/** The timer by which the service measures the delay of its event loop; its period is in what it tells. */
const LOOP_TIMER_MS = 10;

/** New bars, against other systems and against PostgreSQL without the service. */
export const measureIngest: Measurement = async (rig, { rounds, scale }, tell) => {
  const service = await rig.startService();
  const victoria = await rig.startVictoriaMetrics();
  const influx = await rig.startInflux();
  const { databaseUrl, load } = rig;
  const minutes = Math.round(MINUTES * scale);
  const acknowledged: number[] = [];
  const committed: number[] = [];
  const loopDelay: number[] = [];

  const turnOfService = async (block: BarBlock): Promise<void> => {
    await rig.clear();
    // Telling begins a new measurement of the delay.
    await service.metric(LOOP_DELAY);
    const taken = await load.run('post', { target: service.target(), block, clients: CLIENTS });
    loopDelay.push((await service.metric(LOOP_DELAY)) * MS - LOOP_TIMER_MS);
    acknowledged.push(rowsOf(block) / taken.answeredSeconds);
    committed.push(rowsOf(block) / taken.committedSeconds);
  };
  const posted = async (contestant: Contestant | Absent, block: BarBlock): Promise<number> => {
    if ('absent' in contestant) return NaN;
    const { target } = contestant;
    const { answeredSeconds } = await load.run('post', { target, block, clients: CLIENTS });
    await sleep(REST_MS);
    return rowsOf(block) / answeredSeconds;
  };
  const copied = async (into: 'bars' | 'earlier', connections: number, block: BarBlock): Promise<number> => {
    await rig.clear();
    const { seconds } = await load.run('copy', { databaseUrl, block, connections, into });
    return rowsOf(block) / seconds;
  };
  const others = [
    { name: 'VictoriaMetrics, answered (in memory)', turn: (block: BarBlock) => posted(victoria, block) },
    { name: 'InfluxDB, answered (in its WAL)', turn: (block: BarBlock) => posted(influx, block) },
    { name: 'binary COPY into bars, 2 connections', turn: (block: BarBlock) => copied('bars', 2, block) },
    {
      name: 'text COPY, earlier table, 1 connection',
      turn: (block: BarBlock) => copied('earlier', 1, block),
    },
  ].map((other) => ({ ...other, samples: [] as number[] }));

  // Not counted: code is compiled, series and partitions are made.
  const warmUp: BarBlock = { symbols: SYMBOLS, firstMinute: 0, minutes };
  await turnOfService(warmUp);
  for (const { turn } of others) await turn(warmUp);
  for (const samples of [acknowledged, committed, loopDelay]) samples.length = 0;
  tell('warmed up');
  for (let round = 1; round <= rounds; round += 1) {
    const block = { symbols: SYMBOLS, firstMinute: round * minutes, minutes };
    await turnOfService(block);
    for (const { samples, turn } of others) samples.push(await turn(block));
    tell(`round ${round} of ${rounds}`);
  }
  await service.stop();

  const [victoriaRates = [], influxRates = [], binary = [], text = []] = others.map(({ samples }) => samples);
  const figures: Figure[] = [
    { name: 'the service, acknowledged durable', unit: 'rows/s', samples: acknowledged },
    { name: 'the service, committed in PostgreSQL', unit: 'rows/s', samples: committed },
    ...others
      .filter(({ samples }) => !samples.includes(NaN))
      .map(({ name, samples }) => ({ name, unit: 'rows/s', samples })),
  ];
  const comparisons = [
    against('acknowledged / VictoriaMetrics', acknowledged, victoriaRates, 1.2, 1),
    against('committed / InfluxDB', committed, influxRates, 1.2, 1),
    against('committed / binary COPY', committed, binary, 0.75, 0.65),
    against('committed / text COPY, earlier table', committed, text, 2, 1.6),
    {
      name: 'event-loop delay p99 under this load',
      samples: loopDelay,
      unit: 'ms',
      better: 'lower' as const,
      goal: 20,
      floor: 40,
    },
  ];
  const skipped: Skipped[] = [];
  if ('absent' in victoria) skipped.push({ name: 'acknowledged / VictoriaMetrics', reason: victoria.absent });
  if ('absent' in influx) skipped.push({ name: 'committed / InfluxDB', reason: influx.absent });
  return {
    figures,
    comparisons: comparisons.filter(({ name }) => !skipped.some((absent) => absent.name === name)),
    skipped,
    notes: [
      `${minutes * SYMBOLS} one-minute bars of ${SYMBOLS} symbols, batches of 5,000 from ${CLIENTS} clients; PostgreSQL's tables are empty at the beginning of each turn, the other systems keep what they have.`,
      `${named('VictoriaMetrics', victoria)} and ${named('InfluxDB', influx)} get the same bars in InfluxDB line protocol from the same load process.`,
      'The event-loop delay is what the service tells in /metrics, without the 10 ms of the timer that measures it.',
    ],
  };
};

function named(name: string, contestant: Installed | Absent): string {
  return 'absent' in contestant ? `${name} (absent)` : `${name} ${contestant.version ?? ''}`.trimEnd();
}

function against(name: string, ours: number[], theirs: number[], goal: number, floor: number): Comparison {
  return { name, samples: ratios(ours, theirs), unit: 'x', better: 'higher', goal, floor };
}
