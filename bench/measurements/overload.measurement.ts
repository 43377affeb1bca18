import { BATCH_ROWS } from '../data/bar.block.js';
import { type Comparison, type Figure, type Measurement, ratios } from '../measurement.js';
import { untilDrained } from './drained.js';
import { MemoryWatch } from './memory.watch.js';

const SYMBOLS = 1_000;
const CLIENTS = 4;
const CONNECTIONS = 200;
const TIMES = 10;
const SECONDS = 10;
const CAPACITY_MINUTES = 1_000;
/** Small, so that it is full within the time and the service must refuse. */
const SPOOL_BYTES = 33_554_432;
/** More batches than connections. */
const OFFERED_MINUTES = 1_500;

/** What is committed while ten times as much is offered, and what that costs. */
export const measureOverload: Measurement = async (rig, { rounds, scale }, tell) => {
  const service = await rig.startService({ MDS_SPOOL_MAX_BYTES: String(SPOOL_BYTES) });
  const target = service.target();
  const seconds = Math.max(2, SECONDS * scale);
  const best: number[] = [];
  const goodput: number[] = [];
  const resident: number[] = [];
  const unadvised: number[] = [];
  const accepted: number[] = [];
  const refused: number[] = [];
  const unanswered: number[] = [];
  const watches: MemoryWatch[] = [];
  for (let round = -1; round < rounds; round += 1) {
    await rig.clear();
    const minutes = Math.round(CAPACITY_MINUTES * scale);
    const block = { symbols: SYMBOLS, firstMinute: 0, minutes };
    const { committedSeconds, rows } = await rig.load.run('post', { target, block, clients: CLIENTS });
    const capacity = rows / committedSeconds;
    tell(round < 0 ? 'warmed up' : `round ${round + 1}: capacity ${Math.round(capacity)} rows/s`);
    if (round < 0) continue;
    await rig.clear();
    const watch = new MemoryWatch(service);
    const result = await rig.load.run('offer', {
      target,
      block: { symbols: SYMBOLS, firstMinute: 0, minutes: OFFERED_MINUTES },
      batchRows: BATCH_ROWS,
      requestsPerSecond: (TIMES * capacity) / BATCH_ROWS,
      seconds,
      connections: CONNECTIONS,
    });
    await untilDrained(service);
    await watch.stop();
    watches.push(watch);
    best.push(capacity);
    goodput.push(result.committed / result.seconds);
    resident.push(watch.most);
    unadvised.push(result.refusedWithoutRetryAfter);
    accepted.push(result.accepted);
    refused.push(result.due - result.accepted - result.unanswered);
    unanswered.push(result.unanswered);
    tell(`refused ${JSON.stringify(result.refused)}, accepted ${result.accepted}`);
  }
  await service.stop();
  const figures: Figure[] = [
    { name: `committed with ${CLIENTS} clients in a closed loop`, unit: 'rows/s', samples: best },
    { name: `committed with ${TIMES} times as much offered`, unit: 'rows/s', samples: goodput },
    { name: 'accepted', unit: 'requests', samples: accepted },
    { name: 'refused', unit: 'requests', samples: refused },
    { name: 'waiting for a connection or an answer at the end', unit: 'requests', samples: unanswered },
  ];
  const comparisons: Comparison[] = [
    {
      name: `goodput at ${TIMES} x / best`,
      samples: ratios(goodput, best),
      unit: 'x',
      better: 'higher',
      goal: 0.9,
      floor: 0.7,
    },
    {
      name: 'most resident memory under overload',
      samples: resident,
      unit: 'MiB',
      better: 'lower',
      goal: 400,
      floor: 512,
    },
    {
      name: 'refusals without Retry-After',
      samples: unadvised,
      unit: 'requests',
      better: 'lower',
      goal: 0,
      floor: 0,
    },
  ];
  return {
    figures,
    comparisons,
    charts: [
      {
        title: 'Resident memory under overload',
        x: 's',
        y: 'MiB',
        lines: watches.map(({ line }, round) => ({ ...line, name: `round ${round + 1}` })),
      },
    ],
    notes: [
      `An open loop on ${CONNECTIONS} connections for ${seconds} s, batches of 5,000; the spool may take ${SPOOL_BYTES / 2 ** 20} MiB. Accepted rows are all committed afterwards.`,
    ],
  };
};
