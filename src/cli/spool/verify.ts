import { setTimeout as sleep } from 'node:timers/promises';

import { surveyDeadLetters } from '../../coordinator/dead-letters/dead.letter.survey.js';
import { Checkpoint } from '../../coordinator/spool/checkpoint.js';
import { pendingReplay } from '../../coordinator/spool/replay.request.js';
import { nodeFileSystem } from '../../coordinator/spool/spool.file-system.js';
import {
  listSegments,
  surveySegment,
  type Found,
  type SegmentFile,
} from '../../coordinator/spool/spool.survey.js';
import { EXIT, type ExitCode } from '../exit.codes.js';
import { counted } from '../text.table.js';
import { findPlace, type DataPlace } from './data.place.js';
import { untilVanished } from './vanished.js';

/** After so many milliseconds a block that may have been under write is looked at again. */
const LOOK_AGAIN_MS = 200;

/** Bytes that are not as they should be. */
interface Finding {
  readonly file: string;
  readonly offset: number;
  readonly bytes: number;
  readonly what: string;
}

/** What was found, as JSON has it. */
interface VerifyReport {
  readonly directory: string;
  readonly service_pid: number | null;
  readonly sound: boolean;
  readonly damage: Finding[];
  /** What a crash may leave, and no loss. */
  readonly notes: Finding[];
  readonly checked: { segments: number; records: number; rows: number; bytes: number; dead_letters: number };
}

/** Reads every byte of the spool and the dead letters and checks each checksum and the order of the records. */
export async function verify(options: { readonly dir?: string; readonly json?: boolean }): Promise<ExitCode> {
  const report = await reportOf(await findPlace(options.dir));
  process.stdout.write(options.json ? `${JSON.stringify(report, null, 2)}\n` : textOf(report));
  return report.sound ? EXIT.sound : EXIT.damaged;
}

async function reportOf(place: DataPlace): Promise<VerifyReport> {
  const damage: Finding[] = [];
  const notes: Finding[] = [];
  const checked = { segments: 0, records: 0, rows: 0, bytes: 0, dead_letters: 0 };
  const { root, spool, deadLetters, holder } = place;
  const live = holder !== undefined;
  for (const segment of await listSegments(nodeFileSystem, spool)) {
    checked.segments++;
    const all = surveySegment(nodeFileSystem, segment, { payloads: true, live });
    for await (const found of untilVanished(all)) {
      checked.bytes += found.length;
      if (found.kind === 'record') {
        checked.records++;
        checked.rows += found.header.rows;
      }
      const what = remarkOn(found, segment, live);
      if (what === undefined) continue;
      const finding = { file: segment.path, offset: found.offset, bytes: found.length, what };
      (found.kind === 'damage' || found.kind === 'unread' ? damage : notes).push(finding);
    }
  }
  damage.push(...(await damageOfSmallFiles(spool, live)));
  if (deadLetters !== undefined) {
    for await (const { name, bytes, damaged, unread } of surveyDeadLetters(nodeFileSystem, deadLetters)) {
      checked.dead_letters++;
      const file = `${deadLetters}/${name}`;
      if (unread !== undefined) {
        const what = `the disk does not read the dead letter now: ${textOfError(unread)}`;
        damage.push({ file, offset: 0, bytes, what });
      }
      if (damaged) damage.push({ file, offset: 0, bytes, what: 'the dead letter fails its checksum' });
    }
  }
  return {
    directory: root,
    service_pid: holder ?? null,
    sound: damage.length === 0,
    damage,
    notes,
    checked,
  };
}

function remarkOn(found: Found, { end }: SegmentFile, live: boolean): string | undefined {
  if (found.kind === 'record')
    return found.superseded
      ? `record ${found.header.sequence} was refused when it was written, and its number given anew: passed over`
      : undefined;
  if (found.kind === 'torn')
    return live && end === Infinity
      ? 'the tail is under write'
      : 'torn tail: a record that was never written to its end, and never acknowledged';
  if (found.kind === 'unread') {
    const { header, error } = found;
    const what = header ? `record ${header.sequence} (${counted(header.rows, 'row')})` : 'it';
    return `the disk does not read ${what} now: ${textOfError(error)}`;
  }
  const { header, why } = found;
  if (!header) return 'no record can be read here';
  const record = `record ${header.sequence} (${counted(header.rows, 'row')})`;
  return why === 'order' ? `${record} comes after a later one` : `${record} fails its checksum`;
}

function textOfError(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Damage of the checkpoint and of a request for a replay. */
async function damageOfSmallFiles(spool: string, live: boolean): Promise<Finding[]> {
  const look = async (): Promise<Finding[]> => {
    const file = `${spool}/checkpoint`;
    const found: Finding[] = [];
    try {
      const checkpoint = await Checkpoint.look(nodeFileSystem, spool);
      const what = 'a slot of the checkpoint is damaged; the other, or the start, is used';
      for (const offset of checkpoint?.damaged ?? [])
        found.push({ file, offset, bytes: Checkpoint.SLOT_BYTES, what });
    } catch (error) {
      const what = `the disk does not read the checkpoint now: ${textOfError(error)}`;
      found.push({ file, offset: 0, bytes: 0, what });
    }
    if ((await pendingReplay(nodeFileSystem, spool)) !== 'damaged') return found;
    const what = 'the request for a replay is damaged; ask for it again';
    return [...found, { file: `${spool}/replay`, offset: 0, bytes: Checkpoint.SLOT_BYTES, what }];
  };
  const first = await look();
  if (first.length === 0 || !live) return first;
  await sleep(LOOK_AGAIN_MS);
  return await look();
}

function textOf({ damage, notes, checked, service_pid }: VerifyReport): string {
  const line = (kind: string, { file, offset, bytes, what }: Finding) =>
    `${kind}  ${file} at byte ${offset}, ${counted(bytes, 'byte')}: ${what}\n`;
  const { segments, records, rows, bytes, dead_letters } = checked;
  const read = [
    counted(segments, 'segment'),
    counted(records, 'record'),
    counted(rows, 'row'),
    counted(bytes, 'byte'),
    counted(dead_letters, 'dead letter'),
  ].join(', ');
  const mend =
    service_pid === null
      ? 'the service puts aside what is damaged when it starts and meets it, `mds spool repair` does so now; what the disk does not read is tried again until it does'
      : 'stop the service and run `mds spool repair`, or let the service put aside what is damaged; what the disk does not read it tries again until it does';
  const verdict = damage.length === 0 ? 'sound' : `damaged in ${counted(damage.length, 'place')}; ${mend}`;
  return [
    ...notes.map((finding) => line('note  ', finding)),
    ...damage.map((finding) => line('damage', finding)),
    `read    ${read}\n`,
    `result  ${verdict}\n`,
  ].join('');
}
