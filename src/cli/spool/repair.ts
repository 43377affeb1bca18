import { DataDirectory } from '../../config/data-directory.js';
import { DataDirectoryInUseError } from '../../config/data-directory.error.js';
import { repairDeadLetters } from '../../coordinator/dead-letters/dead.letter.survey.js';
import { nodeFileSystem } from '../../coordinator/spool/spool.file-system.js';
import { repairSpool, type Repair, type RepairOptions } from '../../coordinator/spool/spool.repair.js';
import { CliError } from '../cli.error.js';
import { EXIT, type ExitCode } from '../exit.codes.js';
import { counted } from '../text.table.js';
import { findPlace, requireOwner, type DataPlace } from './data.place.js';

/** Repairs the files of a stopped service: afterwards `verify` finds them sound. */
export async function repair(options: {
  readonly dir?: string;
  readonly json?: boolean;
  readonly dryRun?: boolean;
  readonly giveUp?: boolean;
}): Promise<ExitCode> {
  const place = await findPlace(options.dir);
  await requireOwner(place);
  const directory = await acquire(place);
  const { dryRun = false, giveUp = false } = options;
  const repairs: Repair[] = [];
  try {
    for await (const done of repairsOf(place, { dryRun, giveUp })) {
      repairs.push(done);
      // At once: of a repair that is cut short one must know how far it came.
      if (!options.json) process.stdout.write(`${textOf(done, dryRun)}\n`);
    }
  } finally {
    await directory.release();
  }
  if (options.json) process.stdout.write(`${JSON.stringify({ dry_run: dryRun, repairs }, null, 2)}\n`);
  else process.stdout.write(summaryOf(repairs, dryRun));
  return repairs.some(isLeft) ? EXIT.damaged : EXIT.sound;
}

async function acquire({ root }: DataPlace): Promise<DataDirectory> {
  try {
    return await DataDirectory.acquire(root);
  } catch (error) {
    if (!(error instanceof DataDirectoryInUseError)) throw error;
    throw new CliError(
      `a service (process ${error.pid}) runs on ${root}; stop it first, or leave the repair to it: a running service puts aside what is damaged`,
    );
  }
}

async function* repairsOf({ spool, deadLetters }: DataPlace, options: RepairOptions): AsyncGenerator<Repair> {
  yield* repairSpool(nodeFileSystem, spool, options);
  if (deadLetters !== undefined) yield* repairDeadLetters(nodeFileSystem, deadLetters, options);
}

/** The operator has to decide what becomes of it. */
function isLeft({ kind }: Repair): boolean {
  return kind === 'unread';
}

function textOf(repair: Repair, dryRun: boolean): string {
  const { path } = repair;
  switch (repair.kind) {
    case 'put-aside': {
      const { offset, bytes, rows, quarantine } = repair;
      const what = `${counted(bytes, 'damaged byte')} (${rows === undefined ? 'unknown rows' : counted(rows, 'row')}) at byte ${offset} of ${path}`;
      return dryRun ? `would put aside ${what}` : `put aside ${what} as ${quarantine ?? path}`;
    }
    case 'unread':
      return `left ${placeOf(repair)}: the disk does not read it; try again when it does, or give it up with --give-up`;
    case 'given-up':
      return `${dryRun ? 'would give up' : 'gave up'} ${placeOf(repair)}, which the disk does not read`;
    case 'loss':
      return `${dryRun ? 'would have' : 'has'} the next start count rows that are missing as lost (${path})`;
    case 'cut':
      return `${dryRun ? 'would cut' : 'cut'} ${counted(repair.bytes, 'byte')} of a torn tail at byte ${repair.offset} of ${path}`;
    case 'checkpoint':
      return `${dryRun ? 'would write' : 'wrote'} ${path} again: records below ${repair.sequence} are settled`;
    case 'removed':
      return `${dryRun ? 'would remove' : 'removed'} ${path}, which was not whole`;
  }
}

function placeOf({ path, offset, bytes, rows }: Extract<Repair, { kind: 'unread' | 'given-up' }>): string {
  const what = rows === undefined ? 'unknown rows' : counted(rows, 'row');
  return bytes === 0 ? `all of ${path}` : `${counted(bytes, 'byte')} (${what}) at byte ${offset} of ${path}`;
}

function summaryOf(repairs: readonly Repair[], dryRun: boolean): string {
  const left = repairs.filter(isLeft).length;
  const count = repairs.length - left;
  const rest = left > 0 ? `${counted(left, 'place')} left that the disk does not read\n` : '';
  if (count === 0) return left > 0 ? rest : 'nothing to repair\n';
  return dryRun
    ? `${counted(count, 'repair')} to make; nothing was changed\n${rest}`
    : `${counted(count, 'repair')} made\n${rest}`;
}
