import { type BarBlock, rowsOf } from '../data/bar.block.js';
import { type Measurement, ratios } from '../measurement.js';

const SYMBOLS = 1_000;
const MINUTES = 500;
const CLIENTS = 4;

/** Bars that are all stored already, half of them with other values, against staging and merging without the service. */
export const measureMerge: Measurement = async (rig, { rounds, scale }, tell) => {
  const { databaseUrl, load } = rig;
  const service = await rig.startService();
  const target = service.target();
  const minutes = Math.round(MINUTES * scale);

  /** @returns rows merged per second */
  const turn = async (block: BarBlock, merge: (corrected: BarBlock) => Promise<number>): Promise<number> => {
    await rig.clear();
    await load.run('copy', { databaseUrl, block, connections: 2, into: 'bars' });
    await rig.query('ANALYZE bars');
    await rig.settle();
    const seconds = await merge({ ...block, corrected: true });
    const [filed] = await rig.query<{ count: number }>('SELECT count(*)::int AS count FROM bar_revisions');
    if (filed?.count !== rowsOf(block) / 2) throw new Error(`${filed?.count ?? 0} revisions were filed`);
    return rowsOf(block) / seconds;
  };
  const byService = (block: BarBlock): Promise<number> =>
    turn(
      block,
      async (corrected) =>
        (await load.run('post', { target, block: corrected, clients: CLIENTS })).committedSeconds,
    );
  const bare = (block: BarBlock): Promise<number> =>
    turn(
      block,
      async (corrected) =>
        (await load.run('copy', { databaseUrl, block: corrected, connections: 2, into: 'merge' })).seconds,
    );

  const warmUp = { symbols: SYMBOLS, firstMinute: 0, minutes: Math.ceil(minutes / 4) };
  await byService(warmUp);
  await bare(warmUp);
  tell('warmed up');
  const ours: number[] = [];
  const theirs: number[] = [];
  const block = { ...warmUp, minutes };
  for (let round = 1; round <= rounds; round += 1) {
    ours.push(await byService(block));
    theirs.push(await bare(block));
    tell(`round ${round} of ${rounds}`);
  }
  await service.stop();
  return {
    figures: [
      { name: 'the service, committed', unit: 'rows/s', samples: ours },
      { name: 'staging + merge, 2 connections', unit: 'rows/s', samples: theirs },
    ],
    comparisons: [
      {
        name: 'merged / bare staging + merge',
        samples: ratios(ours, theirs),
        unit: 'x',
        better: 'higher',
        goal: 0.8,
        floor: 0.6,
      },
    ],
    notes: [
      `${rowsOf(block)} bars that are stored already, every second one with another volume, batches of 5,000.`,
      'Bare: for each batch binary COPY into a temporary table, then one INSERT in key order that on conflict updates what is newer and differs and files what it replaced in bar_revisions (RETURNING old). It counts nothing and does not mend the order of receipt.',
    ],
  };
};
