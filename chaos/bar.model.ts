/**
 * What is known of a version that was sent. `sure`: it was answered as safe. `doubt`: nobody knows what became of it.
 */
export type Fate = 'sure' | 'doubt';

/** A version of a bar that was sent. */
export interface Send {
  /** The version; one that was sent again counts twice, with other versions between. */
  readonly content: number;
  readonly fate: Fate;
}

/** What was sent of the bars of one producer, in the order of receipt. */
export class BarModel {
  /** By bar: twice the content, plus 1 when it is sure. A long run has millions of them. */
  private readonly sends: number[][] = [];

  /** Bars that were ever named. */
  get size(): number {
    return this.sends.length;
  }

  /** A new bar, which is about to be sent. */
  add(): number {
    return this.sends.push([]) - 1;
  }

  /** These bars were sent after everything that was noted before. */
  note(bars: Iterable<number>, content: number, fate: Fate): void {
    const packed = content * 2 + (fate === 'sure' ? 1 : 0);
    for (const bar of bars) this.sends[bar]?.push(packed);
  }

  /** What was sent of a bar, the earliest first. */
  sendsOf(bar: number): Send[] {
    return (this.sends[bar] ?? []).map((packed) => ({
      content: Math.floor(packed / 2),
      fate: packed % 2 === 1 ? 'sure' : 'doubt',
    }));
  }
}
