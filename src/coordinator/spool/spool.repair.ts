import { Checkpoint, type CheckpointLook } from './checkpoint.js';
import { dropReplay, pendingReplay } from './replay.request.js';
import { QUARANTINE } from './segment.js';
import { type SpoolFile, type SpoolFileSystem } from './spool.file-system.js';
import { readWholeFile, writeWholeFile } from './whole.file.js';
import { listSegments, surveySegment, type Found, type SegmentFile } from './spool.survey.js';

const COPY_BYTES = 1024 * 1024;

/** One thing that was mended, or would be. */
export type Repair =
  | {
      readonly kind: 'put-aside';
      readonly path: string;
      readonly offset: number;
      readonly bytes: number;
      /** Unknown when the header is damaged. */
      readonly rows: number | undefined;
      /** Undefined while nothing is done yet. */
      readonly quarantine: string | undefined;
    }
  | {
      /** The disk does not read it: left as it is, and its segment with it. */
      readonly kind: 'unread';
      readonly path: string;
      readonly offset: number;
      /** 0 when the file cannot be opened. */
      readonly bytes: number;
      readonly rows: number | undefined;
    }
  | {
      /** The disk does not read it, and the operator gave it up. */
      readonly kind: 'given-up';
      readonly path: string;
      readonly offset: number;
      readonly bytes: number;
      readonly rows: number | undefined;
    }
  /** The next start counts rows that are missing as lost. */
  | { readonly kind: 'loss'; readonly path: string }
  | { readonly kind: 'cut'; readonly path: string; readonly offset: number; readonly bytes: number }
  | { readonly kind: 'checkpoint'; readonly path: string; readonly sequence: number }
  | { readonly kind: 'removed'; readonly path: string };

/** Bytes of a segment that stay. */
interface Range {
  readonly from: number;
  to: number;
}

/** What a repair may do. */
export interface RepairOptions {
  /** True: it only reports what it would do. */
  readonly dryRun: boolean;
  /** True: what the disk does not read is given up, and what is missing is counted as lost. */
  readonly giveUp: boolean;
}

/**
 * Makes a spool's directory sound again: what is damaged is put aside, and every record that can be read stays
 * where the spool finds it. A segment of which the disk does not read some bytes is left alone, unless they are given
 * up. The caller has the directory for itself. A crash at any step leaves either the old file or the new one, and it can
 * be done again.
 */
export async function* repairSpool(
  files: SpoolFileSystem,
  directory: string,
  options: RepairOptions,
): AsyncGenerator<Repair> {
  const { dryRun, giveUp } = options;
  for (const segment of await listSegments(files, directory))
    yield* repairSegment(files, directory, segment, options);

  const path = `${directory}/checkpoint`;
  let checkpoint: CheckpointLook | undefined;
  try {
    checkpoint = await Checkpoint.look(files, directory);
  } catch {
    if (giveUp && !dryRun) await Checkpoint.replace(files, directory, 0);
    yield { kind: giveUp ? 'given-up' : 'unread', path, offset: 0, bytes: 0, rows: undefined };
  }
  if (checkpoint) {
    const { sequence, damaged, ledger } = checkpoint;
    const bookLoss = giveUp && ledger?.lossUnknown === false;
    const next = bookLoss ? { ...ledger, lossUnknown: true } : ledger;
    if (!dryRun && (bookLoss || damaged.length > 0))
      await Checkpoint.replace(files, directory, sequence, next);
    if (damaged.length > 0) yield { kind: 'checkpoint', path, sequence };
    if (bookLoss) yield { kind: 'loss', path };
  }
  if ((await pendingReplay(files, directory)) === 'damaged') {
    if (!dryRun) await dropReplay(files, directory);
    yield { kind: 'removed', path: `${directory}/replay` };
  }
  yield* removeUnfinished(files, directory, dryRun);
}

/** Removes what writes that a crash cut short have left; the file of the right name is the one that counts. */
export async function* removeUnfinished(
  files: SpoolFileSystem,
  directory: string,
  dryRun: boolean,
): AsyncGenerator<Repair> {
  for (const name of (await files.list(directory)).filter((name) => name.endsWith('.tmp')).sort()) {
    const path = `${directory}/${name}`;
    if (!dryRun) await files.remove(path);
    yield { kind: 'removed', path };
  }
}

async function* repairSegment(
  files: SpoolFileSystem,
  directory: string,
  segment: SegmentFile,
  { dryRun, giveUp }: RepairOptions,
): AsyncGenerator<Repair> {
  const { path } = segment;
  const keep: Range[] = [];
  const bad: Exclude<Found, { kind: 'record' }>[] = [];
  for await (const found of surveySegment(files, segment, { payloads: true, live: false })) {
    if (found.kind === 'record') extend(keep, found.offset, found.length);
    else bad.push(found);
  }
  const unread = bad.filter((found) => found.kind === 'unread');
  if (unread.length > 0 && !giveUp) {
    for (const { offset, length, header } of unread)
      yield { kind: 'unread', path, offset, bytes: length, rows: header?.rows };
    return;
  }
  const repairs: Repair[] = [];
  for (const found of bad) {
    const { offset, length: bytes } = found;
    if (found.kind === 'torn') repairs.push({ kind: 'cut', path, offset, bytes });
    else if (found.kind === 'damage') repairs.push(await putAside(files, directory, segment, found, dryRun));
    else repairs.push({ kind: 'given-up', path, offset, bytes, rows: found.header?.rows });
  }
  // Only after all that is damaged is in the quarantine.
  if (bad.length > 0 && !dryRun) {
    if (unread.some(({ length }) => length === 0)) await moveToQuarantine(files, directory, segment);
    else await keepOnly(files, directory, segment, keep);
  }
  yield* repairs;
}

/** A file that cannot be opened cannot be copied either; the disk may give it back one day. */
async function moveToQuarantine(
  files: SpoolFileSystem,
  directory: string,
  { path, name }: SegmentFile,
): Promise<void> {
  const target = `${directory}/${QUARANTINE}`;
  await files.makeDirectory(target);
  await files.rename(path, `${target}/${name}`);
  await files.syncDirectory(target);
  await files.syncDirectory(directory);
}

function extend(ranges: Range[], from: number, length: number): void {
  const last = ranges.at(-1);
  if (last?.to === from) last.to += length;
  else ranges.push({ from, to: from + length });
}

async function putAside(
  files: SpoolFileSystem,
  directory: string,
  segment: SegmentFile,
  { offset, length, header }: Extract<Found, { kind: 'damage' }>,
  dryRun: boolean,
): Promise<Repair> {
  const quarantine = dryRun ? undefined : await quarantineBytes(files, directory, segment, offset, length);
  return { kind: 'put-aside', path: segment.path, offset, bytes: length, rows: header?.rows, quarantine };
}

/** A rewritten segment has other offsets: bytes put aside earlier under the same name must stay. */
async function quarantineBytes(
  files: SpoolFileSystem,
  directory: string,
  segment: SegmentFile,
  offset: number,
  length: number,
): Promise<string> {
  const target = `${directory}/${QUARANTINE}`;
  await files.makeDirectory(target);
  const file = await files.open(segment.path, 'read');
  const bytes = await file.read(length, offset).finally(() => file.close());
  const taken = new Set(await files.list(target));
  const plain = `${segment.name}.${offset}`;
  for (let copy = 1; ; copy++) {
    const name = copy === 1 ? plain : `${plain}.${copy}`;
    if (taken.has(name)) {
      if ((await readWholeFile(files, `${target}/${name}`)).equals(bytes)) return `${target}/${name}`;
      continue;
    }
    await writeWholeFile(files, target, name, [bytes]);
    return `${target}/${name}`;
  }
}

/** Cuts the segment where it can be cut, which needs no room; otherwise writes it anew and puts it in its place. */
async function keepOnly(
  files: SpoolFileSystem,
  directory: string,
  segment: SegmentFile,
  keep: readonly Range[],
): Promise<void> {
  const [head = { from: 0, to: 0 }, ...rest] = keep;
  if (head.from === 0 && rest.length === 0) {
    const file = await files.open(segment.path, 'write');
    try {
      await file.truncate(head.to);
      await file.sync();
    } finally {
      await file.close();
    }
    return;
  }
  const source = await files.open(segment.path, 'read');
  try {
    await writeWholeFile(files, directory, segment.name, bytesOf(source, keep));
  } finally {
    await source.close();
  }
}

async function* bytesOf(file: SpoolFile, ranges: readonly Range[]): AsyncGenerator<Buffer> {
  for (const { from, to } of ranges) {
    for (let at = from; at < to; at += COPY_BYTES) {
      const length = Math.min(COPY_BYTES, to - at);
      const bytes = await file.read(length, at);
      if (bytes.length < length) throw new Error('the segment became shorter while it was read');
      yield bytes;
    }
  }
}
