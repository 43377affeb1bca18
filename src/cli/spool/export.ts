import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

import { barBatchCodec } from '../../bars/bar.batch.codec.js';
import type { BarBatch, OnConflict } from '../../bars/bar.batch.js';
import { BAR_LAYOUTS, type TextFormat } from '../../bars/read/bar.layout.js';
import { barCsv, barJson, type BarRow } from '../../bars/read/bar.text.js';
import { parseSeriesName } from '../../bars/series.key.js';
import { OFFSET, readTimestamp, TUPLE_BYTES } from '../../bars/tuple.js';
import { Checkpoint } from '../../coordinator/spool/checkpoint.js';
import { nodeFileSystem } from '../../coordinator/spool/spool.file-system.js';
import { listSegments, surveySegment, type Found } from '../../coordinator/spool/spool.survey.js';
import { CliError } from '../cli.error.js';
import { EXIT, type ExitCode } from '../exit.codes.js';
import { counted } from '../text.table.js';
import { findPlace, type DataPlace } from './data.place.js';
import { untilVanished } from './vanished.js';

/** Rows made into text at a time. */
const CHUNK_ROWS = 1_000;

/** Makes a file, or empties it. A link that somebody else has put there must not lead to another file. */
const WHOLE_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW;

/** Which records, in which form. */
interface ExportOptions {
  readonly dir?: string;
  /** Time of receipt, from and until before: Unix epoch microseconds. */
  readonly since?: number;
  readonly until?: number;
  /** Only what the checkpoint does not cover. */
  readonly unsettled?: boolean;
  /** Only bars that were sent so. */
  readonly onConflict?: OnConflict;
  readonly format: TextFormat;
  /** A file; standard output when there is none. */
  readonly out?: string;
}

/** Writes the bars in the order in which they were received, such that they can be posted back unchanged. */
export async function exportBars(options: ExportOptions): Promise<ExitCode> {
  const place = await findPlace(options.dir);
  const done = { rows: 0, kept: 0, records: 0, unreadable: 0 };
  const text = Readable.from(textOf(place, options, done), { objectMode: false });
  try {
    // Standard output stays open: the process ends when it has taken everything.
    if (options.out === undefined) await pipeline(text, process.stdout as Writable, { end: false });
    else await pipeline(text, (await open(options.out, WHOLE_FILE, 0o600)).createWriteStream());
  } catch (error) {
    // Whoever read has seen enough, as `head` does.
    if ((error as NodeJS.ErrnoException).code === 'EPIPE') return EXIT.sound;
    if ((error as NodeJS.ErrnoException).code === 'ELOOP')
      throw new CliError(`${options.out} is a link, and links are not followed: name the file itself`);
    throw error;
  }
  const { rows, kept, records, unreadable } = done;
  // What is posted back without `keep` replaces what is stored.
  const mixed =
    kept > 0 && options.onConflict === undefined
      ? `, ${counted(kept, 'row')} of them sent with on_conflict=keep`
      : '';
  process.stderr.write(`${counted(rows, 'row')} of ${counted(records, 'record')}${mixed}\n`);
  if (unreadable === 0) return EXIT.sound;
  process.stderr.write(
    `${counted(unreadable, 'piece')} could not be read, and left out; see \`mds spool verify\`\n`,
  );
  return EXIT.damaged;
}

async function* textOf(
  { spool, holder }: DataPlace,
  options: ExportOptions,
  done: { rows: number; kept: number; records: number; unreadable: number },
): AsyncGenerator<string> {
  const { since = -Infinity, until = Infinity, unsettled = false, onConflict, format } = options;
  const checkpoint = (await Checkpoint.look(nodeFileSystem, spool))?.sequence ?? 0;
  const { header } = BAR_LAYOUTS[format];
  if (header !== '') yield header;
  for (const segment of await listSegments(nodeFileSystem, spool)) {
    const all = surveySegment(nodeFileSystem, segment, { payloads: true, live: holder !== undefined });
    for await (const found of untilVanished(all)) {
      if (found.kind === 'damage' || found.kind === 'unread') done.unreadable++;
      if (found.kind !== 'record' || found.superseded) continue;
      const { time, sequence } = found.header;
      if (time < since || time >= until || (unsettled && sequence < checkpoint)) continue;
      const batch = batchOf(found);
      if (!batch) {
        done.unreadable++;
        continue;
      }
      if (onConflict !== undefined && batch.onConflict !== onConflict) continue;
      done.records++;
      if (batch.onConflict === 'keep') done.kept += batch.rows;
      done.rows += batch.rows;
      for (let row = 0; row < batch.rows; row += CHUNK_ROWS)
        yield linesOf(batch, row, Math.min(row + CHUNK_ROWS, batch.rows), format);
    }
  }
}

/** Undefined when the record is sound and yet no batch of bars. */
function batchOf({ payload, header }: Extract<Found, { kind: 'record' }>): BarBatch | undefined {
  if (!payload) throw new Error('the record was read without its payload');
  try {
    return barBatchCodec.decode(payload, header.time);
  } catch {
    return undefined;
  }
}

function linesOf({ tuples, series }: BarBatch, first: number, end: number, format: TextFormat): string {
  let text = '';
  for (let at = first * TUPLE_BYTES; at < end * TUPLE_BYTES; at += TUPLE_BYTES) {
    const name = series[tuples.readInt32BE(at + OFFSET.series)];
    if (name === undefined) throw new Error('a record names a series that is not in it');
    const bar: BarRow = {
      ...parseSeriesName(name),
      ts: readTimestamp(tuples, at + OFFSET.ts),
      open: tuples.readDoubleBE(at + OFFSET.open),
      high: tuples.readDoubleBE(at + OFFSET.high),
      low: tuples.readDoubleBE(at + OFFSET.low),
      close: tuples.readDoubleBE(at + OFFSET.close),
      volume: tuples.readDoubleBE(at + OFFSET.volume),
    };
    text += `${format === 'csv' ? barCsv(bar) : barJson(bar)}\n`;
  }
  return text;
}
