import { type Comparison, type Measurement, median } from '../measurement.js';
import { MemoryWatch } from './memory.watch.js';

const SYMBOLS = 1_000;
const BLOCK_MINUTES = 500;
const CLIENTS = 4;
const MICROS = 1_000_000;
const MILLION = 1_000_000;
/** Blocks at the begin and at the end whose median is compared. */
const ENDS = 3;

/** Twenty million rows one after the other: memory, and what a row costs as the table grows. */
export const measureEndurance: Measurement = (rig, { scale }, tell) => take(rig, 40, scale, tell);

/** The same for four million rows, when only memory is of interest. */
export const measureMemory: Measurement = async (rig, { scale }, tell) => {
  const outcome = await take(rig, 8, scale, tell);
  return { ...outcome, comparisons: outcome.comparisons.filter(({ unit }) => unit === 'MiB') };
};

async function take(
  rig: Parameters<Measurement>[0],
  blocks: number,
  scale: number,
  tell: (line: string) => void,
): ReturnType<Measurement> {
  const minutes = Math.round(BLOCK_MINUTES * scale);
  const blockRows = SYMBOLS * minutes;
  const service = await rig.startService();
  const post = async (index: number): Promise<number> => {
    const block = { symbols: SYMBOLS, firstMinute: index * minutes, minutes };
    const { committedSeconds } = await rig.load.run('post', {
      target: service.target(),
      block,
      clients: CLIENTS,
    });
    return (committedSeconds / blockRows) * MICROS;
  };
  await rig.clear();
  await post(0);
  await rig.clear();
  const watch = new MemoryWatch(service);
  const costs: number[] = [];
  for (let index = 0; index < blocks; index += 1) {
    costs.push(await post(index));
    tell(`${((index + 1) * blockRows) / MILLION} M rows, ${costs.at(-1)?.toFixed(2) ?? ''} µs a row`);
  }
  await watch.stop();
  await service.stop();
  const first = median(costs.slice(0, ENDS));
  const last = median(costs.slice(-ENDS));
  const total = (blocks * blockRows) / MILLION;
  const comparisons: Comparison[] = [
    {
      name: `most resident memory over ${total} M rows`,
      samples: [watch.most],
      unit: 'MiB',
      better: 'lower',
      goal: 400,
      floor: 512,
    },
    {
      name: `cost of a row at ${total} M / at 500 k`,
      samples: [last / first],
      unit: 'x',
      better: 'lower',
      goal: 1.3,
      floor: 1.5,
    },
  ];
  return {
    figures: [
      { name: 'cost of a committed row, first blocks', unit: 'µs', samples: costs.slice(0, ENDS) },
      { name: `cost of a committed row, at ${total} M`, unit: 'µs', samples: costs.slice(-ENDS) },
    ],
    comparisons,
    charts: [
      { title: 'Resident memory of the service', x: 's', y: 'MiB', lines: [watch.line] },
      {
        title: 'Cost of a committed row as the table grows',
        x: 'M rows stored',
        y: 'µs',
        lines: [{ name: 'cost', points: costs.map((cost, at) => [((at + 1) * blockRows) / MILLION, cost]) }],
      },
    ],
    notes: [
      `Blocks of ${blockRows} rows of ${SYMBOLS} symbols, each timed until its commit; medians of ${ENDS} blocks are compared. A block before the first is not counted.`,
    ],
  };
}
