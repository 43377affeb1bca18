import type { SpoolFile, SpoolFileSystem } from '../../src/coordinator/spool/spool.file-system.js';

export type Operation =
  | 'make-directory'
  | 'list'
  | 'create'
  | 'open'
  | 'rename'
  | 'remove'
  | 'sync-directory'
  | 'size'
  | 'write'
  | 'read'
  | 'sync'
  | 'truncate'
  | 'identity';

/**
 * What outlives a power cut of all that was not synced: nothing, or everything but the last write, of which so many
 * bytes, or whatever chance leaves of it.
 */
export type Survival = 'nothing' | { readonly bytesOfLastWrite: number } | Chance;

/** From 0 to 1, 1 excluded. */
export type Chance = () => number;

/** Numbers that follow from a seed (mulberry32). */
export function chanceFrom(seed: number): Chance {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A whole number below `limit`. */
export function pick(chance: Chance, limit: number): number {
  return Math.floor(chance() * limit);
}

export function failureOf(code: string): Error {
  return Object.assign(new Error(code), { code });
}

const SECTOR_BYTES = 64;

type Change = { readonly at: number; readonly bytes: Buffer } | { readonly length: number };

function changed(content: Buffer, change: Change): Buffer {
  if ('length' in change) return sized(content, change.length);
  const target = sized(content, Math.max(content.length, change.at + change.bytes.length));
  change.bytes.copy(target, change.at);
  return target;
}

function sized(content: Buffer, length: number): Buffer {
  const target = Buffer.alloc(length);
  content.copy(target);
  return target;
}

let identities = 0;

/** What tells a file or directory from all others, as an inode number does. */
function identityOfNew(): string {
  return String(++identities);
}

/** A file's bytes: as processes see them, and as they are on disk. */
class Content {
  readonly identity = identityOfNew();
  now: Buffer = Buffer.alloc(0);
  synced: Buffer = Buffer.alloc(0);
  private pending: Change[] = [];

  change(change: Change): void {
    this.now = changed(this.now, change);
    this.pending.push(change);
  }

  sync(): void {
    this.synced = this.now;
    this.pending = [];
  }

  lose(survival: Survival): void {
    this.now = this.survivors(survival);
    this.sync();
  }

  flip(bit: number): void {
    for (const name of ['now', 'synced'] as const) {
      const bytes = Buffer.from(this[name]);
      const at = bit >> 3;
      if (at < bytes.length) bytes[at] = (bytes[at] ?? 0) ^ (1 << (bit & 7));
      this[name] = bytes;
    }
  }

  private survivors(survival: Survival): Buffer {
    if (this.pending.length === 0 || survival === 'nothing') return this.synced;
    if (typeof survival === 'object') return this.prefix(this.pending.length, survival.bytesOfLastWrite);
    const way = survival();
    if (way < 0.3) return this.synced;
    if (way < 0.6) {
      const count = 1 + pick(survival, this.pending.length);
      const last = this.pending[count - 1];
      return this.prefix(count, last && 'bytes' in last ? pick(survival, last.bytes.length + 1) : 0);
    }
    return this.someSectors(survival);
  }

  /** The first so many changes, the last of them cut short. */
  private prefix(count: number, bytesOfLast: number): Buffer {
    const kept = this.pending.slice(0, count);
    const last = kept.pop();
    if (last && 'bytes' in last) kept.push({ at: last.at, bytes: last.bytes.subarray(0, bytesOfLast) });
    return kept.reduce(changed, this.synced);
  }

  private someSectors(chance: Chance): Buffer {
    const sizes = [this.now.length, this.synced.length].sort((a, b) => a - b) as [number, number];
    const target = sized(this.synced, sizes[0] + pick(chance, sizes[1] - sizes[0] + 1));
    for (let at = 0; at < target.length; at += SECTOR_BYTES) {
      if (chance() < 0.5) this.now.subarray(at, Math.min(at + SECTOR_BYTES, target.length)).copy(target, at);
    }
    return target;
  }
}

type Entries = Map<string, Content>;

/** Names in a directory. A journal keeps their changes in order: a power cut leaves a first part of them. */
class Directory {
  readonly identity = identityOfNew();
  now: Entries = new Map();
  synced: Entries = new Map();
  private pending: ((entries: Entries) => void)[] = [];

  change(change: (entries: Entries) => void): void {
    change(this.now);
    this.pending.push(change);
  }

  sync(): void {
    this.synced = new Map(this.now);
    this.pending = [];
  }

  lose(survival: Survival): void {
    const kept =
      survival === 'nothing'
        ? 0
        : typeof survival === 'object'
          ? this.pending.length
          : pick(survival, this.pending.length + 1);
    for (const change of this.pending.slice(0, kept)) change(this.synced);
    this.now = new Map(this.synced);
    this.pending = [];
  }
}

/** What one process sees of the disk, until the power fails. */
interface Mount {
  powered: boolean;
}

/**
 * A disk in memory that forgets what was not synced. Everything takes microtasks only, so that a schedule runs the
 * same way each time.
 */
export class SimulatedDisk {
  private readonly directories = new Map<string, Directory>();
  private mounted: Mount = { powered: true };
  private operations = 0;

  /** Called before each operation: throws to fail it, returns a promise to hold it up. */
  beforeEach: ((operation: Operation, path: string) => unknown) | undefined;
  /** What a sync that fails leaves on disk; as chance has it unless told. */
  afterFailedSync: Survival | undefined;
  /** True for bytes that cannot be read. */
  unreadable: ((path: string, from: number, to: number) => boolean) | undefined;
  /** Most bytes that one write takes. */
  mostPerWrite = Infinity;
  /** The power fails in the operation of this number, counted from the start of the disk. */
  failsAt: number | undefined;

  constructor(private readonly chance: Chance = () => 0) {}

  get operationCount(): number {
    return this.operations;
  }

  get powered(): boolean {
    return this.mounted.powered;
  }

  /** The file system for a process that starts now. */
  mount(): SpoolFileSystem {
    const mount: Mount = { powered: true };
    this.mounted = mount;
    const run = <V>(operation: Operation, path: string, action: () => V): Promise<V> =>
      this.run(mount, operation, path, action);
    const sync = async (path: string, content: Content): Promise<void> => {
      try {
        await run('sync', path, () => content.sync());
      } catch (error) {
        // Linux marks the pages clean that it could not write, and says so once.
        if ((error as NodeJS.ErrnoException).code === 'EIO' && mount.powered)
          content.lose(this.afterFailedSync ?? this.chance);
        throw error;
      }
    };
    const fileOf = (path: string, content: Content, writeThrough = false): SpoolFile => ({
      size: () => run('size', path, () => content.now.length),
      write: async (parts, position) => {
        const written = await run('write', path, () => {
          const bytes = Buffer.concat(parts).subarray(0, this.mostPerWrite);
          content.change({ at: position, bytes });
          return bytes.length;
        });
        if (writeThrough) await sync(path, content);
        return written;
      },
      read: (length, position) =>
        run('read', path, () => {
          if (this.unreadable?.(path, position, position + length)) throw failureOf('EIO');
          return Buffer.from(content.now.subarray(position, position + length));
        }),
      sync: () => sync(path, content),
      truncate: (length) => run('truncate', path, () => content.change({ length })),
      identity: () => run('identity', path, () => content.identity),
      close: () => Promise.resolve(),
    });
    return {
      makeDirectory: (path) =>
        run('make-directory', path, () => {
          if (!this.directories.has(path)) this.directories.set(path, new Directory());
        }),
      list: (path) => run('list', path, () => [...(this.directories.get(path)?.now.keys() ?? [])]),
      create: (path, { writeThrough = false } = {}) =>
        run('create', path, () => {
          const [directory, name] = this.placeOf(path);
          if (directory.now.has(name)) throw failureOf('EEXIST');
          const content = new Content();
          directory.change((entries) => entries.set(name, content));
          return fileOf(path, content, writeThrough);
        }),
      open: (path) => run('open', path, () => fileOf(path, this.contentOf(path))),
      rename: (from, to) =>
        run('rename', from, () => {
          const [directory, name] = this.placeOf(from);
          const content = this.contentOf(from);
          const [target, newName] = this.placeOf(to);
          if (target === directory) {
            directory.change((entries) => {
              entries.delete(name);
              entries.set(newName, content);
            });
          } else {
            target.change((entries) => entries.set(newName, content));
            directory.change((entries) => entries.delete(name));
          }
        }),
      remove: (path) =>
        run('remove', path, () => {
          this.contentOf(path);
          const [directory, name] = this.placeOf(path);
          directory.change((entries) => entries.delete(name));
        }),
      syncDirectory: (path) => run('sync-directory', path, () => this.directory(path).sync()),
      identity: (path) => run('identity', path, () => this.identityOf(path)),
    };
  }

  /** Ends all processes; what was not synced is lost. */
  cutPower(survival: Survival): void {
    this.mounted.powered = false;
    this.failsAt = undefined;
    for (const directory of this.directories.values()) {
      const contents = new Set([...directory.now.values(), ...directory.synced.values()]);
      for (const content of contents) content.lose(survival);
      directory.lose(survival);
    }
  }

  /** Ends all processes (kill -9); nothing is lost. */
  endProcesses(): void {
    this.mounted.powered = false;
    this.failsAt = undefined;
  }

  /** Names of the files in a directory, in order. */
  names(directory: string): string[] {
    return [...(this.directories.get(directory)?.now.keys() ?? [])].sort();
  }

  /** A file's bytes as a process sees them. */
  bytesOf(path: string): Buffer {
    return this.contentOf(path).now;
  }

  /** Moves a directory away, as an operator may, or puts it back. */
  moveDirectory(from: string, to: string): void {
    const directory = this.directory(from);
    this.directories.delete(from);
    this.directories.set(to, directory);
  }

  /** Removes a file behind the back of the process that has it open. */
  removeFile(path: string): void {
    const [directory, name] = this.placeOf(path);
    directory.change((entries) => entries.delete(name));
  }

  flip(path: string, bit: number): void {
    this.contentOf(path).flip(bit);
  }

  private async run<V>(mount: Mount, operation: Operation, path: string, action: () => V): Promise<V> {
    for (let pause = pick(this.chance, 4); pause > 0; pause--) await Promise.resolve();
    requirePower(mount);
    await this.beforeEach?.(operation, path);
    requirePower(mount);
    if (++this.operations === this.failsAt) {
      mount.powered = false;
      // It may have reached the disk, though nobody was told.
      if (this.chance() < 0.5) action();
      throw failureOf('EIO');
    }
    return action();
  }

  private directory(path: string): Directory {
    const directory = this.directories.get(path);
    if (!directory) throw failureOf('ENOENT');
    return directory;
  }

  private identityOf(path: string): string | undefined {
    const directory = this.directories.get(path);
    if (directory) return directory.identity;
    const slash = path.lastIndexOf('/');
    return this.directories.get(path.slice(0, slash))?.now.get(path.slice(slash + 1))?.identity;
  }

  private placeOf(path: string): [Directory, string] {
    const slash = path.lastIndexOf('/');
    return [this.directory(path.slice(0, slash)), path.slice(slash + 1)];
  }

  private contentOf(path: string): Content {
    const [directory, name] = this.placeOf(path);
    const content = directory.now.get(name);
    if (!content) throw failureOf('ENOENT');
    return content;
  }
}

function requirePower({ powered }: Mount): void {
  if (!powered) throw failureOf('EIO');
}
