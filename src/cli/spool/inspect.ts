import { stat } from 'node:fs/promises';

import { formatTimestamp } from '../../bars/timestamp.js';
import { filedIn } from '../../coordinator/dead-letters/dead.letter.queue.js';
import { Checkpoint } from '../../coordinator/spool/checkpoint.js';
import { pendingReplay } from '../../coordinator/spool/replay.request.js';
import { QUARANTINE } from '../../coordinator/spool/segment.js';
import { nodeFileSystem } from '../../coordinator/spool/spool.file-system.js';
import { listSegments, surveySegment, type SegmentFile } from '../../coordinator/spool/spool.survey.js';
import { EXIT, type ExitCode } from '../exit.codes.js';
import { counted, grouped, textTable, type Column } from '../text.table.js';
import { findPlace, type DataPlace } from './data.place.js';
import { untilVanished } from './vanished.js';

/** How a segment stands to the checkpoint. */
type SegmentState = 'settled' | 'partly settled' | 'unsettled' | 'empty';

interface SegmentReport {
  readonly file: string;
  readonly bytes: number;
  /** Records that the service reads, and what they hold. */
  readonly records: number;
  readonly rows: number;
  readonly first_sequence: number | null;
  readonly last_sequence: number | null;
  /** Of the earliest and the latest record, RFC 3339. */
  readonly first_received_at: string | null;
  readonly last_received_at: string | null;
  readonly state: SegmentState;
  readonly unsettled_records: number;
  readonly unsettled_rows: number;
  /** Bytes that the disk does not read, or under a damaged header; damaged payloads are what `verify` looks for. */
  readonly unreadable_bytes: number;
  /** Bytes at the end of a record that is not whole: under write, or left by a crash. */
  readonly torn_bytes: number;
}

/** What the spool holds, as JSON has it. */
interface SpoolReport {
  readonly directory: string;
  /** Process id of the service that runs on it. */
  readonly service_pid: number | null;
  /** Records below it are settled: in PostgreSQL or the dead-letter queue. */
  readonly checkpoint: number;
  readonly replay_from: number | null;
  /** Rows from the making of the spool on, as of the checkpoint; null when it has no ledger. */
  readonly ledger: {
    readonly accepted: number;
    readonly committed: number;
    readonly dead_lettered: number;
    readonly lost: number;
  } | null;
  readonly segments: readonly SegmentReport[];
  readonly totals: {
    readonly bytes: number;
    readonly records: number;
    readonly rows: number;
    readonly unsettled_records: number;
    readonly unsettled_rows: number;
  };
  readonly quarantine: readonly { readonly file: string; readonly bytes: number }[];
  readonly dead_letters: {
    readonly letters: number;
    readonly rows: number;
    readonly quarantined: number;
  };
}

/** Tells what is in the spool. */
export async function inspect(options: {
  readonly dir?: string;
  readonly json?: boolean;
}): Promise<ExitCode> {
  const report = await reportOf(await findPlace(options.dir));
  process.stdout.write(options.json ? `${JSON.stringify(report, null, 2)}\n` : textOf(report));
  return EXIT.sound;
}

/** What is in the spool, from headers and names only. */
export async function reportOf({ root, spool, deadLetters, holder }: DataPlace): Promise<SpoolReport> {
  const { sequence: checkpoint = 0, ledger } = (await Checkpoint.look(nodeFileSystem, spool)) ?? {};
  const segments: SegmentReport[] = [];
  for (const segment of await listSegments(nodeFileSystem, spool)) {
    const report = await segmentReport(segment, checkpoint, holder !== undefined);
    if (report) segments.push(report);
  }
  const replay = await pendingReplay(nodeFileSystem, spool);
  const sum = (field: 'bytes' | 'records' | 'rows' | 'unsettled_records' | 'unsettled_rows') =>
    segments.reduce((total, segment) => total + segment[field], 0);
  const letters = deadLetters === undefined ? [] : filedIn(await nodeFileSystem.list(deadLetters));
  return {
    directory: root,
    service_pid: holder ?? null,
    checkpoint,
    replay_from: typeof replay === 'object' ? replay.from : null,
    ledger: ledger
      ? {
          accepted: ledger.accepted,
          committed: ledger.committed,
          dead_lettered: ledger.deadLettered,
          lost: ledger.lost,
        }
      : null,
    segments,
    totals: {
      bytes: sum('bytes'),
      records: sum('records'),
      rows: sum('rows'),
      unsettled_records: sum('unsettled_records'),
      unsettled_rows: sum('unsettled_rows'),
    },
    quarantine: await filesIn(`${spool}/${QUARANTINE}`),
    dead_letters: {
      letters: letters.length,
      rows: letters.reduce((total, { rows }) => total + rows, 0),
      quarantined: deadLetters === undefined ? 0 : (await filesIn(`${deadLetters}/${QUARANTINE}`)).length,
    },
  };
}

/** Undefined when the service removed the segment meanwhile. */
async function segmentReport(
  segment: SegmentFile,
  checkpoint: number,
  live: boolean,
): Promise<SegmentReport | undefined> {
  const bytes = await sizeOf(segment.path);
  if (bytes === undefined) return undefined;
  const seen = { records: 0, rows: 0, unsettledRecords: 0, unsettledRows: 0, unreadable: 0, torn: 0 };
  const span = { first: Infinity, last: -Infinity, from: Infinity, until: -Infinity };
  for await (const found of untilVanished(
    surveySegment(nodeFileSystem, segment, { payloads: false, live }),
  )) {
    if (found.kind === 'damage' || found.kind === 'unread') seen.unreadable += found.length;
    if (found.kind === 'torn') seen.torn += found.length;
    if (found.kind !== 'record' || found.superseded) continue;
    const { sequence, rows, time } = found.header;
    seen.records++;
    seen.rows += rows;
    span.first = Math.min(span.first, sequence);
    span.last = sequence;
    span.from = Math.min(span.from, time);
    span.until = Math.max(span.until, time);
    if (sequence < checkpoint) continue;
    seen.unsettledRecords++;
    seen.unsettledRows += rows;
  }
  const hasRecords = seen.records > 0;
  return {
    file: segment.name,
    bytes,
    records: seen.records,
    rows: seen.rows,
    first_sequence: hasRecords ? span.first : null,
    last_sequence: hasRecords ? span.last : null,
    first_received_at: hasRecords ? formatTimestamp(span.from) : null,
    last_received_at: hasRecords ? formatTimestamp(span.until) : null,
    state: stateOf(seen.records, seen.unsettledRecords),
    unsettled_records: seen.unsettledRecords,
    unsettled_rows: seen.unsettledRows,
    unreadable_bytes: seen.unreadable,
    torn_bytes: seen.torn,
  };
}

function stateOf(records: number, unsettled: number): SegmentState {
  if (records === 0) return 'empty';
  if (unsettled === 0) return 'settled';
  return unsettled === records ? 'unsettled' : 'partly settled';
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

async function filesIn(directory: string): Promise<{ file: string; bytes: number }[]> {
  const names = await nodeFileSystem.list(directory).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  });
  const found = [];
  for (const file of names.sort()) {
    const bytes = await sizeOf(`${directory}/${file}`);
    if (bytes !== undefined) found.push({ file, bytes });
  }
  return found;
}

const COLUMNS: readonly Column<SegmentReport>[] = [
  { title: 'SEGMENT', text: ({ file }) => file },
  { title: 'RECORDS', text: ({ records }) => grouped(records), right: true },
  { title: 'SEQUENCE', text: (s) => (s.records === 0 ? '-' : `${s.first_sequence}..${s.last_sequence}`) },
  { title: 'ROWS', text: ({ rows }) => grouped(rows), right: true },
  { title: 'BYTES', text: ({ bytes }) => grouped(bytes), right: true },
  { title: 'RECEIVED FROM', text: (s) => s.first_received_at ?? '-' },
  { title: 'UNTIL', text: (s) => s.last_received_at ?? '-' },
  { title: 'STATE', text: ({ state }) => state },
  {
    title: 'REMARK',
    text: ({ unreadable_bytes, torn_bytes }) =>
      [
        unreadable_bytes > 0 ? `${grouped(unreadable_bytes)} unreadable bytes` : '',
        torn_bytes > 0 ? `${grouped(torn_bytes)} bytes of a record that is not whole` : '',
      ]
        .filter((remark) => remark !== '')
        .join(', '),
  },
];

function textOf(report: SpoolReport): string {
  const { totals, quarantine, ledger, dead_letters: letters } = report;
  const lines = [
    `Data directory  ${report.directory}`,
    `Service         ${report.service_pid === null ? 'none runs on it' : `runs as process ${report.service_pid}`}`,
    `Checkpoint      records below ${report.checkpoint} are settled`,
    `Unsettled       ${counted(totals.unsettled_rows, 'row')} in ${counted(totals.unsettled_records, 'record')}`,
    `All             ${counted(totals.rows, 'row')} in ${counted(totals.records, 'record')}, ${counted(totals.bytes, 'byte')}`,
    `Dead letters    ${counted(letters.letters, 'letter')}, ${counted(letters.rows, 'row')}, ${letters.quarantined} damaged and put aside`,
    `Quarantine      ${counted(quarantine.length, 'file')}, ${counted(
      quarantine.reduce((sum, { bytes }) => sum + bytes, 0),
      'byte',
    )}`,
  ];
  for (const { file, bytes } of quarantine) lines.push(`                ${file}  ${counted(bytes, 'byte')}`);
  if (ledger)
    lines.push(
      `Ledger          ${counted(ledger.accepted, 'row')} accepted, ${grouped(ledger.committed)} committed, ${grouped(ledger.dead_lettered)} dead-lettered, ${grouped(ledger.lost)} lost`,
    );
  if (report.replay_from !== null)
    lines.push(`Replay          from record ${report.replay_from} on, when the service starts next`);
  const table = report.segments.length === 0 ? 'No segments.\n' : textTable(COLUMNS, report.segments);
  return `${lines.join('\n')}\n\n${table}`;
}
