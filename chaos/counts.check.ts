import type { Answer, NoAnswer } from './service.process.js';
import type { BarModel } from './bar.model.js';

/** The counts of an answer to `ack=stored`. */
interface Counts {
  readonly accepted: number;
  readonly inserted: number;
  readonly updated: number;
  readonly unchanged: number;
  readonly superseded: number;
}

/** Compares what the answers of `ack=stored` count with what was sent, and adds it up. */
export class CountsCheck {
  /** The content that is known to be stored, by bar; undefined: it is not known, or there is none. */
  private readonly stored = new Map<number, number>();
  /** Sums of all answers. */
  readonly sums = { answers: 0, inserted: 0, updated: 0 };
  /** Requests without such an answer: what they did is in no sum. */
  uncounted = 0;
  /** Commits that were answered are gone: what is sent again is inserted again. */
  lostCommits = false;
  /** What does not agree, a sentence each. */
  readonly wrong: string[] = [];

  constructor(private readonly model: BarModel) {}

  /** Called before the model notes the bars. */
  check(bars: readonly number[], content: number, answer: Answer | NoAnswer): void {
    if (typeof answer === 'string' || answer.status !== 200) {
      this.uncounted++;
      for (const bar of bars) this.stored.delete(bar);
      return;
    }
    const counts = JSON.parse(answer.text) as Counts;
    const { accepted, inserted, updated, unchanged, superseded } = counts;
    const sum = inserted + updated + unchanged + superseded;
    if (accepted !== bars.length || sum !== accepted)
      this.wrong.push(`${bars.length} bars with ack=stored were counted ${JSON.stringify(shown(counts))}`);
    const expected = this.expect(bars, content);
    const isWithin = (count: number, sure: number): boolean =>
      count >= sure && count <= sure + expected.unknown;
    if (!isWithin(inserted, expected.inserted) || !isWithin(updated, expected.updated))
      this.wrong.push(
        `bars of version ${content} were counted ${JSON.stringify(shown(counts))}, not ${JSON.stringify(expected)}`,
      );
    this.sums.answers++;
    this.sums.inserted += inserted;
    this.sums.updated += updated;
    for (const bar of bars) this.stored.set(bar, content);
  }

  /** The database lost commits: what is stored is not known any more. */
  forget(): void {
    this.stored.clear();
    this.lostCommits = true;
  }

  private expect(bars: readonly number[], content: number) {
    const expected = { inserted: 0, updated: 0, unknown: 0 };
    for (const bar of bars) {
      const before = this.stored.get(bar);
      if (before !== undefined) expected.updated += before === content ? 0 : 1;
      else if (this.model.sendsOf(bar).length === 0) expected.inserted++;
      else expected.unknown++;
    }
    return expected;
  }
}

const shown = ({ accepted, inserted, updated, unchanged, superseded }: Counts) => ({
  accepted,
  inserted,
  updated,
  unchanged,
  superseded,
});
