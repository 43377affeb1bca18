import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { mkdir, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const TRIES = 100;

/** A real file system, in memory, that can be made to have no room at all, and to have it again. */
export class SmallDisk {
  /** When this process ends without cleaning up, the disk goes as soon as nobody uses it. */
  private readonly lastResort = (): void => {
    spawnSync('umount', ['-l', this.path], { stdio: 'ignore' });
  };

  private constructor(
    readonly path: string,
    private readonly bytes: number,
  ) {}

  /** Mounts it on the directory, which is made. */
  static async mount(path: string, bytes: number): Promise<SmallDisk> {
    await mkdir(path, { recursive: true });
    await run('mount', ['-t', 'tmpfs', '-o', `size=${bytes},mode=0711`, 'tmpfs', path]);
    const disk = new SmallDisk(path, bytes);
    process.once('exit', disk.lastResort);
    return disk;
  }

  /** Why no small disk can be had here; undefined when it can. Waits, because tests are named before they run. */
  static obstacle(): string | undefined {
    const path = mkdtempSync(join(tmpdir(), 'mds-mount-'));
    try {
      execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', path], { stdio: 'pipe' });
      execFileSync('umount', [path]);
      return undefined;
    } catch (error) {
      return `no tmpfs can be mounted here (${(error as Error).message.trim().split('\n').at(-1)})`;
    } finally {
      rmSync(path, { recursive: true, force: true });
    }
  }

  /** From now on it has room for `spare` bytes, and then for nothing. */
  async fill(spare = 0): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const { blocks, bfree, bsize } = await statfs(this.path);
      try {
        await this.resize(Math.max(bsize, (blocks - bfree) * bsize + spare));
        return;
      } catch (error) {
        // Somebody wrote between the two steps: it cannot be smaller than what it holds.
        if (attempt === TRIES) throw error;
      }
    }
  }

  /** It has its room again. */
  async empty(): Promise<void> {
    await this.resize(this.bytes);
  }

  async unmount(): Promise<void> {
    await run('umount', [this.path]);
    process.off('exit', this.lastResort);
  }

  private async resize(bytes: number): Promise<void> {
    await run('mount', ['-o', `remount,size=${bytes}`, this.path]);
  }
}
