/** Sentences of one kind that are kept; a fault that lasts would fill pages with one. */
const KEPT = 5;

/** What is not as it was promised. */
export class Findings {
  private readonly kinds = new Map<string, string[]>();
  private readonly counts = new Map<string, number>();

  /** @param kind groups sentences of which some are enough */
  add(kind: string, sentence: string): void {
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
    const kept = this.kinds.get(kind) ?? [];
    if (kept.length < KEPT) kept.push(`${kind}: ${sentence}`);
    this.kinds.set(kind, kept);
  }

  /** A sentence for each thing, with a count where some were left out. */
  get sentences(): string[] {
    return [...this.kinds].flatMap(([kind, kept]) => {
      const more = (this.counts.get(kind) ?? 0) - kept.length;
      return more > 0 ? [...kept, `${kind}: ${more} more of this kind`] : kept;
    });
  }
}
