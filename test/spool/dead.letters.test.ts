import { describe, expect, it } from '@jest/globals';
import {
  DeadLetterDamagedError,
  DeadLetterUnreadError,
  type DeadLetter,
} from '../../src/coordinator/dead-letters/dead.letter.js';
import { DeadLetterQueue } from '../../src/coordinator/dead-letters/dead.letter.queue.js';
import { chanceFrom, failureOf, SimulatedDisk, type Operation, type Survival } from './simulated.disk.js';
import { idle } from './spool.world.js';

const DIRECTORY = '/dlq';

function letterOf(sequence: number): DeadLetter {
  const id = DeadLetterQueue.idOf({ time: 1_000 + sequence, sequence }, 0);
  const payload = [Buffer.from(`rows of ${sequence}`)];
  const why = { reason: 'sqlstate_23514', sqlstate: '23514', detail: 'refused' };
  return { id, rows: 2, time: 1_000 + sequence, refusedAt: 5, payload, ...why };
}

function open(disk: SimulatedDisk, quarantined: string[] = []): Promise<DeadLetterQueue> {
  const onQuarantine = (id: string) => void quarantined.push(id);
  return DeadLetterQueue.open({ directory: DIRECTORY, files: disk.mount(), onQuarantine });
}

async function contentOf(queue: DeadLetterQueue, id: string): Promise<string> {
  const letter = await queue.read(id);
  return Buffer.concat([...(letter?.payload ?? [])]).toString();
}

describe('adding a dead letter', () => {
  it.each<[string, Operation, string]>([
    ['no room for the directory', 'make-directory', 'ENOSPC'],
    ['no room for a file', 'create', 'ENOSPC'],
    ['no room for its bytes', 'write', 'ENOSPC'],
    ['a failed fsync', 'sync', 'EIO'],
    ['a failed rename', 'rename', 'EIO'],
    ['a failed fsync of the directory', 'sync-directory', 'EIO'],
  ])('with %s is refused, leaves nothing half done, and works at the next try', async (_, failing, code) => {
    const disk = new SimulatedDisk();
    disk.beforeEach = (operation) => {
      if (operation === failing) throw failureOf(code);
    };
    const queue = await open(disk);
    await expect(queue.add(letterOf(1))).rejects.toMatchObject({ code });
    expect([queue.letters, queue.rows]).toEqual([0, 0]);
    expect(disk.names(DIRECTORY).filter((name) => name.endsWith('.tmp'))).toEqual([]);
    disk.beforeEach = undefined;
    await queue.add(letterOf(1));
    expect([queue.letters, queue.rows]).toEqual([1, 2]);
    disk.cutPower('nothing');
    const after = await open(disk);
    expect(after.letters).toBe(1);
    await expect(contentOf(after, letterOf(1).id)).resolves.toBe('rows of 1');
  });

  it('waits while its directory was moved away, and writes to no other', async () => {
    const disk = new SimulatedDisk();
    const queue = await open(disk);
    disk.moveDirectory(DIRECTORY, '/elsewhere');
    await expect(queue.add(letterOf(1))).rejects.toThrow(/was removed, moved or replaced/);
    await disk.mount().makeDirectory(DIRECTORY);
    await expect(queue.add(letterOf(1))).rejects.toThrow(/was removed, moved or replaced/);
    expect(disk.names(DIRECTORY)).toEqual([]);
    disk.moveDirectory('/elsewhere', DIRECTORY);
    await queue.add(letterOf(1));
    expect(disk.names(DIRECTORY)).toHaveLength(1);
  });

  it('may take the disk as many writes as it likes', async () => {
    const disk = new SimulatedDisk();
    disk.mostPerWrite = 7;
    const queue = await open(disk);
    await queue.add(letterOf(1));
    await expect(contentOf(queue, letterOf(1).id)).resolves.toBe('rows of 1');
  });

  it('waits for an fsync that hangs, and holds up no other', async () => {
    const disk = new SimulatedDisk();
    const queue = await open(disk);
    let release = (): void => undefined;
    const hung = new Promise<void>((resolve) => (release = resolve));
    disk.beforeEach = (operation, path) => (operation === 'sync' && path.includes('1001-1-0') ? hung : null);
    let added = false;
    const slow = queue.add(letterOf(1)).then(() => (added = true));
    await queue.add(letterOf(2));
    await idle();
    expect([added, queue.letters]).toEqual([false, 1]);
    release();
    await slow;
    expect(queue.letters).toBe(2);
  });

  it('is safe when it is answered, wherever the power fails, and else whole or not there', async () => {
    for (let operation = 1; operation < 40; operation++) {
      for (const survival of [
        'nothing',
        chanceFrom(operation),
        { bytesOfLastWrite: operation },
      ] as Survival[]) {
        const disk = new SimulatedDisk(chanceFrom(operation));
        const answered: string[] = [];
        disk.failsAt = operation;
        try {
          const queue = await open(disk);
          for (const sequence of [1, 2, 3]) {
            await queue.add(letterOf(sequence));
            answered.push(letterOf(sequence).id);
          }
        } catch (error) {
          if (disk.powered) throw error;
        }
        disk.cutPower(survival);
        const after = await open(disk);
        expect(after.ids({ limit: 9 })).toEqual(expect.arrayContaining(answered));
        for (const id of after.ids({ limit: 9 }))
          await expect(contentOf(after, id)).resolves.toBe(`rows of ${id.split('-')[1]}`);
        // What a crash left half done is gone.
        expect(disk.names(DIRECTORY).filter((name) => name.endsWith('.tmp'))).toEqual([]);
      }
    }
  });
});

describe('a dead letter on a disk that fails', () => {
  it('costs itself alone, whichever of its bits was flipped, and no start needs anybody', async () => {
    const disk = new SimulatedDisk();
    const before = await open(disk);
    for (const sequence of [1, 2, 3]) await before.add(letterOf(sequence));
    const [, name = ''] = disk.names(DIRECTORY);
    const bits = disk.bytesOf(`${DIRECTORY}/${name}`).length * 8;
    for (let bit = 0; bit < bits; bit++) {
      disk.flip(`${DIRECTORY}/${name}`, bit);
      const quarantined: string[] = [];
      const queue = await open(disk, quarantined);
      expect(queue.letters).toBe(3);
      await expect(queue.read(letterOf(2).id)).rejects.toThrow(DeadLetterDamagedError);
      expect(quarantined).toEqual([letterOf(2).id]);
      expect(queue.damaged).toBe(1);
      expect(queue.ids({ limit: 9 })).toEqual([letterOf(1).id, letterOf(3).id]);
      await expect(contentOf(queue, letterOf(1).id)).resolves.toBe('rows of 1');
      await expect(contentOf(queue, letterOf(3).id)).resolves.toBe('rows of 3');
      expect(disk.names(`${DIRECTORY}/quarantine`)).toEqual([name]);
      // Mended by hand: it is found again.
      await disk.mount().rename(`${DIRECTORY}/quarantine/${name}`, `${DIRECTORY}/${name}`);
      disk.flip(`${DIRECTORY}/${name}`, bit);
    }
    await expect(contentOf(await open(disk), letterOf(2).id)).resolves.toBe('rows of 2');
  });

  it('is put aside when it is damaged, and asked for twice at once only once', async () => {
    const disk = new SimulatedDisk();
    const quarantined: string[] = [];
    const queue = await open(disk, quarantined);
    await queue.add(letterOf(1));
    disk.flip(`${DIRECTORY}/${disk.names(DIRECTORY)[0] ?? ''}`, 8 * 50);
    const { id } = letterOf(1);
    const reads = await Promise.allSettled([queue.read(id), queue.read(id)]);
    expect(reads.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(quarantined).toEqual([id]);
    expect([queue.letters, queue.rows]).toEqual([0, 0]);
  });

  it('that the disk does not read stays, and is read when it does', async () => {
    const disk = new SimulatedDisk();
    const quarantined: string[] = [];
    const queue = await open(disk, quarantined);
    await queue.add(letterOf(1));
    disk.unreadable = () => true;
    const { id } = letterOf(1);
    for (let i = 0; i < 10; i++) await expect(queue.read(id)).rejects.toThrow(DeadLetterUnreadError);
    expect([queue.letters, quarantined]).toEqual([1, []]);
    disk.unreadable = undefined;
    await expect(contentOf(queue, id)).resolves.toBe('rows of 1');
  });

  it('that somebody removed by hand is forgotten', async () => {
    const disk = new SimulatedDisk();
    const queue = await open(disk);
    await queue.add(letterOf(1));
    await queue.add(letterOf(2));
    for (const name of disk.names(DIRECTORY)) await disk.mount().remove(`${DIRECTORY}/${name}`);
    await expect(queue.read(letterOf(1).id)).resolves.toBeUndefined();
    await expect(queue.remove(letterOf(2).id)).resolves.toBe(true);
    expect([queue.letters, queue.rows]).toEqual([0, 0]);
  });
});
