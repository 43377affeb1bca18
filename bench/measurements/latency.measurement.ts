import { type Figure, type Measurement, percentile } from '../measurement.js';
import { value } from '../report/table.js';
import { untilDrained } from './drained.js';

const SYMBOLS = 1_000;
const BATCH_ROWS = 1_000;
const CLIENTS = 4;
const CONNECTIONS = 64;
const CAPACITY_MINUTES = 500;
const SECONDS = 6;
const LOADS = [0.1, 0.25, 0.5, 0.75, 0.9, 1, 1.5, 2, 3];

/** Time to the 202 against the load offered, in an open loop. */
export const measureLatency: Measurement = async (rig, { scale }, tell) => {
  const service = await rig.startService();
  const target = service.target();
  const closedLoop = async (): Promise<number> => {
    await rig.clear();
    const minutes = Math.round(CAPACITY_MINUTES * scale);
    const block = { symbols: SYMBOLS, firstMinute: 0, minutes };
    const options = { target, block, clients: CLIENTS, batchRows: BATCH_ROWS };
    const { committedSeconds, rows } = await rig.load.run('post', options);
    return rows / committedSeconds;
  };
  await closedLoop();
  const capacity = await closedLoop();
  tell(`capacity: ${Math.round(capacity)} rows/s committed`);

  const figures: Figure[] = [{ name: 'capacity, committed', unit: 'rows/s', samples: [capacity] }];
  const lines = [
    { name: 'p50', share: 0.5, points: [] as [number, number][] },
    { name: 'p99', share: 0.99, points: [] as [number, number][] },
    { name: 'most', share: 1, points: [] as [number, number][] },
  ];
  const accepted: [number, number][] = [];
  const seconds = Math.max(1, SECONDS * scale);
  for (const load of LOADS) {
    await rig.clear();
    const result = await rig.load.run('offer', {
      target,
      block: { symbols: SYMBOLS, firstMinute: 0, minutes: CAPACITY_MINUTES },
      batchRows: BATCH_ROWS,
      requestsPerSecond: (capacity * load) / BATCH_ROWS,
      seconds,
      connections: CONNECTIONS,
    });
    for (const { points, share } of lines) points.push([load, percentile(result.latencies, share)]);
    const rate = (result.accepted * BATCH_ROWS) / seconds;
    accepted.push([load, rate]);
    const [p50, p99] = [0.5, 0.99].map((share) => percentile(result.latencies, share));
    figures.push(
      { name: `${load} x capacity: p50`, unit: 'ms', samples: [p50 ?? NaN] },
      { name: `${load} x capacity: p99`, unit: 'ms', samples: [p99 ?? NaN] },
      { name: `${load} x capacity: accepted`, unit: 'rows/s', samples: [rate] },
    );
    if (result.unanswered > 0) {
      const name = `${load} x capacity: not answered in time`;
      figures.push({ name, unit: 'requests', samples: [result.unanswered] });
    }
    tell(`${load} x: p99 ${Math.round(p99 ?? NaN)} ms, refused ${JSON.stringify(result.refused)}`);
    await untilDrained(service);
  }
  await service.stop();
  return {
    figures,
    comparisons: [],
    charts: [
      {
        title: 'Time to the 202 by load offered',
        x: 'load offered, multiples of what is committed in a closed loop',
        y: 'ms',
        logarithmic: true,
        lines: lines.map(({ name, points }) => ({ name, points })),
      },
      {
        title: 'Accepted by load offered',
        x: 'load offered, multiples of capacity',
        y: 'rows/s',
        lines: [{ name: 'accepted', points: accepted }],
      },
    ],
    notes: [
      `Batches of ${BATCH_ROWS} rows at random times (Poisson) for ${value(seconds, 's')} a load, ${CONNECTIONS} connections.`,
      'A latency counts from the moment at which the request was due, so that waiting for the service counts; a request that was not answered within 2 s of the end counts with the time until then.',
    ],
  };
};
