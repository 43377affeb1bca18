import { formatTimestamp } from '../../bars/timestamp.js';
import { requestReplay } from '../../coordinator/spool/replay.request.js';
import { nodeFileSystem } from '../../coordinator/spool/spool.file-system.js';
import { listSegments, surveySegment } from '../../coordinator/spool/spool.survey.js';
import { EXIT, type ExitCode } from '../exit.codes.js';
import { counted } from '../text.table.js';
import { findPlace, requireOwner, type DataPlace } from './data.place.js';
import { untilVanished } from './vanished.js';

/** What a replay would write once more, as JSON has it. */
interface ReplayPlan {
  /** The first record received at or after the time asked for; null when there is none. */
  readonly from: number | null;
  /** All from there on: the checkpoint of a running service lags, and does not tell which of them are committed. */
  readonly records: number;
  readonly rows: number;
  /** When the oldest record that is still there was received, RFC 3339; null when the spool is empty. */
  readonly oldest_received_at: string | null;
  /** True: it begins when the service starts next. */
  readonly requested: boolean;
}

/** Leaves the request that the records received since a time be written again, at their own times of receipt. */
export async function replay(options: {
  readonly since: number;
  readonly dir?: string;
  readonly json?: boolean;
  readonly dryRun?: boolean;
}): Promise<ExitCode> {
  const place = await findPlace(options.dir);
  const { from, records, rows, oldest } = await look(place, options.since);
  const requested = from !== undefined && !options.dryRun;
  if (requested) {
    await requireOwner(place);
    await requestReplay(nodeFileSystem, place.spool, from);
  }
  const plan: ReplayPlan = {
    from: from ?? null,
    records,
    rows,
    oldest_received_at: oldest === undefined ? null : formatTimestamp(oldest),
    requested,
  };
  process.stdout.write(
    options.json ? `${JSON.stringify(plan, null, 2)}\n` : textOf(plan, options.since, oldest, place),
  );
  return EXIT.sound;
}

interface Kept {
  readonly from: number | undefined;
  readonly records: number;
  readonly rows: number;
  readonly oldest: number | undefined;
}

async function look({ spool, holder }: DataPlace, since: number): Promise<Kept> {
  const live = holder !== undefined;
  let from: number | undefined;
  let oldest: number | undefined;
  let records = 0;
  let rows = 0;
  for (const segment of await listSegments(nodeFileSystem, spool)) {
    for await (const found of untilVanished(
      surveySegment(nodeFileSystem, segment, { payloads: false, live }),
    )) {
      if (found.kind !== 'record' || found.superseded) continue;
      const { header } = found;
      oldest = Math.min(oldest ?? Infinity, header.time);
      // From the first on all of them, also those received earlier: a dead letter replayed keeps its own time.
      if (header.time >= since) from ??= header.sequence;
      if (from === undefined) continue;
      records++;
      rows += header.rows;
    }
  }
  return { from, records, rows, oldest };
}

function textOf(plan: ReplayPlan, since: number, oldest: number | undefined, { holder }: DataPlace): string {
  const { records, rows, requested } = plan;
  const at = formatTimestamp(since);
  if (plan.from === null)
    return `No record in the spool was received at ${at} or later; nothing is to be done.\n`;
  const what = `${counted(rows, 'row')} in ${counted(records, 'record')}`;
  const begin =
    holder === undefined
      ? 'Start the service to begin.'
      : `Restart the service (process ${holder}) to begin.`;
  const done = requested
    ? `${what}, received since ${at}, will be written again when the service starts. ${begin}\n`
    : `${what}, received since ${at}, would be written again; nothing was changed.\n`;
  const gap =
    oldest !== undefined && oldest > since
      ? `The spool goes back to ${formatTimestamp(oldest)} only: bars received before that must be sent again by their producers.\n`
      : '';
  return done + gap;
}
