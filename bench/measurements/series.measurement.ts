import { type BarBlock, rowsOf } from '../data/bar.block.js';
import { type Measurement, ratios } from '../measurement.js';

const MANY = 1_000_000;
const FEW = 1_000;
const CLIENTS = 4;
const MICROS = 1_000_000;

/** What a row costs when a million series exist, against a thousand. */
export const measureSeries: Measurement = async (rig, { rounds, scale }, tell) => {
  const many = Math.round(MANY * scale);
  const { databaseUrl } = rig;
  const service = await rig.startService();
  const post = async (block: BarBlock): Promise<number> => {
    const taken = await rig.load.run('post', { target: service.target(), block, clients: CLIENTS });
    return (taken.committedSeconds / rowsOf(block)) * MICROS;
  };
  const copy = async (block: BarBlock): Promise<number> => {
    const taken = await rig.load.run('copy', { databaseUrl, block, connections: 2, into: 'bars' });
    return (taken.seconds / rowsOf(block)) * MICROS;
  };
  /** Both contestants in turns, each with bars of its own. */
  const turns = async (symbols: number, minutes: number): Promise<{ ours: number[]; bare: number[] }> => {
    const ours: number[] = [];
    const bare: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const firstMinute = 1 + 2 * round * minutes;
      await rig.settle();
      ours.push(await post({ symbols, firstMinute, minutes }));
      await rig.settle();
      bare.push(await copy({ symbols, firstMinute: firstMinute + minutes, minutes }));
      tell(`${symbols} series, round ${round + 1} of ${rounds}`);
    }
    return { ours, bare };
  };

  await rig.clear();
  await post({ symbols: FEW, firstMinute: 0, minutes: many / FEW });
  await rig.clear();
  const few = await turns(FEW, many / FEW);
  await rig.clear();
  const first = await post({ symbols: many, firstMinute: 0, minutes: 1 });
  tell(`${many} series appeared`);
  await rig.clear();
  const all = await turns(many, 1);
  const resident = await service.residentMiB();
  await service.stop();
  return {
    figures: [
      { name: `cost of a committed row, ${FEW} series`, unit: 'µs', samples: few.ours },
      { name: `cost of a committed row, ${many} series`, unit: 'µs', samples: all.ours },
      { name: `cost of a row, ${many} series, first appearance`, unit: 'µs', samples: [first] },
      { name: `binary COPY, 2 connections, ${FEW} series`, unit: 'µs', samples: few.bare },
      { name: `binary COPY, 2 connections, ${many} series`, unit: 'µs', samples: all.bare },
      { name: `resident memory, ${many} series`, unit: 'MiB', samples: [resident] },
    ],
    comparisons: [
      {
        name: `cost of a row with ${many / MANY} M series / 1 k series`,
        samples: ratios(all.ours, few.ours),
        unit: 'x',
        better: 'lower',
        goal: 1.5,
        floor: 2,
      },
    ],
    notes: [
      `${many} rows a round in batches of 5,000: ${many / FEW} bars of each of ${FEW} symbols, or one of each of ${many}. The table grows alike in both.`,
    ],
  };
};
