import { type BarBlock, rowsOf } from '../data/bar.block.js';
import { type Measurement, ratios } from '../measurement.js';

const SYMBOLS = 1_000;
const MINUTES = 500;
const CLIENTS = 4;

/** Bars that are all stored already, half of them with other values, against staging and merging without the service. */
export const measureMerge: Measurement = async (rig, { rounds, scale }, tell) => {
  const service = await rig.startService();
  const block: BarBlock = { symbols: SYMBOLS, firstMinute: 0, minutes: Math.round(MINUTES * scale) };
  const corrected: BarBlock = { ...block, corrected: true };
  const { databaseUrl } = rig;
  const ours: number[] = [];
  const bare: number[] = [];

  for (let round = -1; round < rounds; round += 1) {
    for (const contestant of ['service', 'bare'] as const) {
      await rig.clear();
      await rig.load.run('copy', { databaseUrl, block, connections: 2, into: 'bars' });
      await rig.query('ANALYZE bars');
      await rig.settle();
      const seconds =
        contestant === 'service'
          ? (await rig.load.run('post', { target: service.target(), block: corrected, clients: CLIENTS }))
              .committedSeconds
          : (await rig.load.run('copy', { databaseUrl, block: corrected, connections: 2, into: 'merge' }))
              .seconds;
      await expectRevisions(rig, contestant, rowsOf(block) / 2);
      if (round >= 0) (contestant === 'service' ? ours : bare).push(rowsOf(block) / seconds);
    }
    tell(round < 0 ? 'warmed up' : `round ${round + 1} of ${rounds}`);
  }
  await service.stop();
  return {
    figures: [
      { name: 'the service, committed', unit: 'rows/s', samples: ours },
      { name: 'staging + merge, 2 connections', unit: 'rows/s', samples: bare },
    ],
    comparisons: [
      {
        name: 'merged / bare staging + merge',
        samples: ratios(ours, bare),
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

async function expectRevisions(
  rig: Parameters<Measurement>[0],
  contestant: string,
  expected: number,
): Promise<void> {
  const [row] = await rig.query<{ count: number }>('SELECT count(*)::int AS count FROM bar_revisions');
  if (row?.count !== expected) {
    throw new Error(`${contestant} filed ${row?.count ?? 0} revisions instead of ${expected}`);
  }
}
