import { randomBytes } from 'node:crypto';
import { open, readdir, rename, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { DataDirectoryInUseError, DataDirectoryUnusableError } from './data-directory.error.js';
import { askPeer, type PeerAnswer } from './data-directory.peer.js';

const NAME = /^service\.(?<pid>\d+)\.(?<id>[0-9a-f]{16})\.lock$/;
/** Behind the name of a socket that is not shown yet; a process that is killed then leaves it. */
const UNFINISHED = '.tmp';
const ELECTION_POLL_MS = 20;
/** Bytes of a Unix socket path that the kernel takes, without the final NUL. */
const MAX_SOCKET_PATH = process.platform === 'linux' ? 107 : 103;

/**
 * An exclusive lock on a directory that the kernel gives back when the process dies, however it dies.
 *
 * Every contender listens on a Unix socket of its own, `service.<pid>.<random id>.lock`, and only then looks for
 * the others. It holds the lock once one look shows no other that is alive: of two contenders at least the later
 * one sees the earlier. A socket whose process is dead refuses connections and is removed; because names are
 * never used twice, a name once dead stays dead, and nobody can remove the socket of a live one by mistake, as
 * two starters after a crash could with a single well-known name.
 */
export class DataDirectoryLock {
  private holding = false;
  private releasing: Promise<void> | undefined;
  private readonly id = randomBytes(8).toString('hex');
  private readonly name = `service.${process.pid}.${this.id}.lock`;
  private readonly server: Server;

  private constructor(private readonly directory: string) {
    this.server = createServer((peer) => {
      peer.on('error', () => peer.destroy());
      const answer: PeerAnswer = this.holding ? 'holder' : 'candidate';
      peer.end(answer, () => peer.destroy());
    });
    this.server.unref();
  }

  /** @throws DataDirectoryInUseError when another live process holds the lock or is about to. */
  static async take(directory: string): Promise<DataDirectoryLock> {
    const lock = new DataDirectoryLock(directory);
    try {
      await lock.stand();
      await lock.win();
    } catch (error) {
      await lock.release();
      throw error;
    }
    return lock;
  }

  /** Process id of the holder, looked up without contending; undefined when there is none. */
  static async holder(directory: string): Promise<number | undefined> {
    for (const name of await readdir(directory)) {
      const { pid } = NAME.exec(name)?.groups ?? {};
      if (pid === undefined) continue;
      const answer = await withSocketPath(directory, name, askPeer);
      if (answer !== 'gone') return Number(pid);
    }
    return undefined;
  }

  /** Gives the lock back; harmless when repeated. */
  release(): Promise<void> {
    return (this.releasing ??= this.withdraw());
  }

  private async withdraw(): Promise<void> {
    await rm(join(this.directory, this.name), { force: true });
    this.server.close();
  }

  /** Makes this contender visible to the others. */
  private async stand(): Promise<void> {
    const unfinished = `${this.name}${UNFINISHED}`;
    await withSocketPath(this.directory, unfinished, async (path) => {
      await new Promise<void>((resolve, reject) => {
        this.server.once('error', reject);
        this.server.listen(path, resolve);
      }).catch((cause: unknown) => {
        const why = `its file system takes no lock (${(cause as Error).message})`;
        throw new DataDirectoryUnusableError(this.directory, why, { cause });
      });
      // Between bind and listen a socket refuses connections and would pass for dead: show it only afterwards.
      await rename(join(this.directory, unfinished), join(this.directory, this.name)).catch(
        async (error: unknown) => {
          // Only a holder removes it.
          const holder = await DataDirectoryLock.holder(this.directory);
          throw holder === undefined ? error : new DataDirectoryInUseError(this.directory, holder);
        },
      );
    });
  }

  /** Those of dead processes cannot be told from those of others that are about to show theirs, and lose anyway. */
  private async removeUnfinished(): Promise<void> {
    for (const name of await readdir(this.directory))
      if (name.endsWith(UNFINISHED) && NAME.test(name.slice(0, -UNFINISHED.length)))
        await rm(join(this.directory, name), { force: true });
  }

  private async win(): Promise<void> {
    for (;;) {
      const rivals = await this.liveRivals();
      if (rivals.length === 0) {
        this.holding = true;
        await this.removeUnfinished();
        return;
      }
      // Of candidates who see each other the lowest id stays and waits until the others have gone.
      const winner = rivals.find(
        ({ answer, id }) => answer === 'holder' || (answer === 'candidate' && id < this.id),
      );
      if (winner !== undefined) throw new DataDirectoryInUseError(this.directory, winner.pid);
      await sleep(ELECTION_POLL_MS);
    }
  }

  private async liveRivals(): Promise<{ id: string; pid: number; answer: PeerAnswer }[]> {
    const rivals = [];
    for (const name of await readdir(this.directory)) {
      const { pid, id } = NAME.exec(name)?.groups ?? {};
      if (pid === undefined || id === undefined || id === this.id) continue;
      const answer = await withSocketPath(this.directory, name, askPeer);
      if (answer === 'gone') await rm(join(this.directory, name), { force: true });
      else rivals.push({ id, pid: Number(pid), answer });
    }
    return rivals;
  }
}

/** Calls `use` with a path to the socket that is short enough for the kernel. */
async function withSocketPath<T>(
  directory: string,
  name: string,
  use: (path: string) => Promise<T>,
): Promise<T> {
  const absolute = join(directory, name);
  const short = [absolute, relative(process.cwd(), absolute)].find(
    (path) => Buffer.byteLength(path) <= MAX_SOCKET_PATH,
  );
  if (short !== undefined) return use(short);
  if (process.platform !== 'linux') {
    const why = `its path is too long for a lock (${Buffer.byteLength(absolute)} bytes with the lock's name, at most ${MAX_SOCKET_PATH})`;
    throw new DataDirectoryUnusableError(directory, why);
  }
  const handle = await open(directory, 'r');
  try {
    return await use(`/proc/self/fd/${handle.fd}/${name}`);
  } finally {
    await handle.close();
  }
}
