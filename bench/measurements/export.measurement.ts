import { once } from 'node:events';

import { PROVIDER, rowsOf } from '../data/bar.block.js';
import { type Measurement, ratios } from '../measurement.js';
import { findProgram, startProgram } from '../process/program.js';

const SYMBOLS = 1_000;
const MINUTES = 1_000;

const SELECT = `SELECT provider, symbol, interval, ts, open, high, low, close, volume
  FROM bars JOIN series ON series.id = bars.series_id WHERE provider = '${PROVIDER}'`;
const SORTED = `${SELECT} ORDER BY symbol COLLATE "C", ts`;

/** The whole table as CSV, against psql. */
export const measureExport: Measurement = async (rig, { rounds, scale }, tell) => {
  const block = { symbols: SYMBOLS, firstMinute: 0, minutes: Math.round(MINUTES * scale) };
  const rows = rowsOf(block);
  const { databaseUrl } = rig;
  const service = await rig.startService();
  await rig.clear();
  await rig.load.run('copy', { databaseUrl, block, connections: 2, into: 'bars' });
  await rig.query('VACUUM ANALYZE bars');
  await rig.settle();
  const psql = findProgram('psql');
  const ours: number[] = [];
  const sorted: number[] = [];
  const unsorted: number[] = [];
  const resident: number[] = [];
  for (let round = -1; round < rounds; round += 1) {
    const { url, token } = service.target(`?provider=${PROVIDER}&format=csv`);
    const { seconds, lines } = await rig.load.run('download', { url, token });
    if (lines !== rows + 1) throw new Error(`the export has ${lines} lines instead of ${rows + 1}`);
    const theirs = psql && (await copyOut(psql, databaseUrl, SORTED));
    const plain = psql && (await copyOut(psql, databaseUrl, SELECT));
    tell(round < 0 ? 'warmed up' : `round ${round + 1} of ${rounds}`);
    if (round < 0) continue;
    ours.push(rows / seconds);
    resident.push(await service.residentMiB());
    if (theirs) sorted.push(rows / theirs);
    if (plain) unsorted.push(rows / plain);
  }
  await service.stop();
  const figures = [
    { name: 'the service, GET /v1/bars?format=csv', unit: 'rows/s', samples: ours },
    { name: 'resident memory of the service after it', unit: 'MiB', samples: resident },
  ];
  const notes = [
    `${rows} bars of ${SYMBOLS} symbols, sorted by symbol and time; what comes is read and thrown away.`,
  ];
  const name = 'CSV export / psql \\copy';
  if (psql === undefined) {
    const reason = 'psql is not on the PATH (Debian package postgresql-client)';
    return { figures, comparisons: [], skipped: [{ name, reason }], notes };
  }
  return {
    figures: [
      ...figures,
      { name: 'psql \\copy of the same bars in the same order', unit: 'rows/s', samples: sorted },
      { name: 'psql \\copy without an order, for information', unit: 'rows/s', samples: unsorted },
    ],
    comparisons: [
      { name, samples: ratios(ours, sorted), unit: 'x', better: 'higher', goal: 0.8, floor: 0.6 },
    ],
    notes,
  };
};

/** @returns the seconds that psql took, its start included */
async function copyOut(psql: string, databaseUrl: string, select: string): Promise<number> {
  const command = `\\copy (${select.replaceAll(/\s+/g, ' ')}) to '/dev/null' with (format csv, header)`;
  const start = performance.now();
  const { child, output } = startProgram(psql, [databaseUrl, '-X', '-q', '-c', command]);
  await once(child, 'exit');
  if (child.exitCode !== 0) throw new Error(`psql failed: ${output()}`);
  return (performance.now() - start) / 1_000;
}
