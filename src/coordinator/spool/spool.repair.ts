import { Checkpoint } from './checkpoint.js';
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
  | { readonly kind: 'cut'; readonly path: string; readonly offset: number; readonly bytes: number }
  | { readonly kind: 'checkpoint'; readonly path: string; readonly sequence: number }
  | { readonly kind: 'removed'; readonly path: string };

/** Bytes of a segment that stay. */
interface Range {
  readonly from: number;
  to: number;
}

/**
 * Makes a spool's directory sound again: what cannot be read is put aside, and every record that can be read stays
 * where the spool finds it. The caller has the directory for itself. A crash at any step leaves either the old file or
 * the new one, and it can be done again. With `dryRun` it only tells what it would do.
 */
export async function* repairSpool(
  files: SpoolFileSystem,
  directory: string,
  { dryRun }: { readonly dryRun: boolean },
): AsyncGenerator<Repair> {
  for (const segment of await listSegments(files, directory))
    yield* repairSegment(files, directory, segment, dryRun);

  const checkpoint = await Checkpoint.look(files, directory);
  if (checkpoint && checkpoint.damaged.length > 0) {
    const { sequence } = checkpoint;
    if (!dryRun) await Checkpoint.replace(files, directory, sequence);
    yield { kind: 'checkpoint', path: `${directory}/checkpoint`, sequence };
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
  dryRun: boolean,
): AsyncGenerator<Repair> {
  const { path } = segment;
  const keep: Range[] = [];
  const repairs: Repair[] = [];
  for await (const found of surveySegment(files, segment, { payloads: true, live: false })) {
    if (found.kind === 'record') extend(keep, found.offset, found.length);
    else if (found.kind === 'torn')
      repairs.push({ kind: 'cut', path, offset: found.offset, bytes: found.length });
    else repairs.push(await putAside(files, directory, segment, found, dryRun));
  }
  // Only after all of it is safe in the quarantine.
  if (repairs.length > 0 && !dryRun) await keepOnly(files, directory, segment, keep);
  yield* repairs;
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
