import { DeadLetterUndecodableError, type DeadLetter } from './dead-letters/dead.letter.js';
import type { DurableCoordinatorOptions } from './durable.options.js';
import { decodeWhole } from './entry.decoding.js';
import type { Entry } from './sink.js';

/** Gives the rows of dead letters to the spool once more. */
export class DeadLetterReplay<T extends Entry, R> {
  private readonly running = new Map<string, Promise<boolean>>();
  /** Letters whose rows are in the spool again, but whose files the disk did not remove. */
  private readonly spooled = new Set<string>();

  constructor(
    private readonly options: Pick<DurableCoordinatorOptions<T, R>, 'spool' | 'deadLetters' | 'codec'>,
    /** The rows of a letter are in the spool again. Called once for a letter, before the sink can have them. */
    private readonly onSpooled: () => void,
  ) {}

  /** False when there is no letter of that id. Calls for one letter at the same time are one. */
  replay(id: string): Promise<boolean> {
    const running = this.running.get(id) ?? this.tryReplay(id).finally(() => this.running.delete(id));
    this.running.set(id, running);
    return running;
  }

  private async tryReplay(id: string): Promise<boolean> {
    const { deadLetters } = this.options;
    if (!this.spooled.has(id)) {
      const letter = await deadLetters.read(id);
      if (!letter) return false;
      await this.spool(letter);
      // A crash before it leaves the letter and its rows in the spool, and counts them twice; one after it counts once.
      await this.options.spool.writeCheckpoint();
    }
    await deadLetters.remove(id);
    this.spooled.delete(id);
    return true;
  }

  private async spool({ id, payload, rows, time }: DeadLetter): Promise<void> {
    const { spool, codec } = this.options;
    const entry = decodeWhole(codec, Buffer.concat(payload), { time, rows });
    if (entry instanceof Error) throw new DeadLetterUndecodableError(id, entry);
    await spool.append({
      payload,
      rows,
      time,
      entry,
      replayed: true,
      onSafe: () => {
        this.spooled.add(id);
        this.onSpooled();
      },
    });
  }
}
