import type { Send } from './bar.model.js';

/**
 * Whether a bar's history is one that its sends may leave. Every version that was answered as safe must be in it, in
 * the order of receipt; one in doubt may be. A version that was sent again later may be missing there: one that changed
 * nothing is not in the history, and an earlier one that is committed late may come to lie behind it. The last one that
 * was answered as safe must be there in any case: what follows it is in doubt.
 * @param sends in the order of receipt
 * @param found the contents that are known, the earliest first; the last is stored
 * @param dead contents that are in the dead-letter queue, and need not be stored
 * @returns what is wrong, as the end of a sentence; undefined: nothing
 */
export function faultOfHistory(
  sends: readonly Send[],
  found: readonly number[],
  dead: ReadonlySet<number> = new Set(),
): string | undefined {
  const known = found.filter((content, index) => content !== found[index - 1]);
  const isSure = ({ fate, content }: Send): boolean => fate === 'sure' && !dead.has(content);
  const lastSure = sends.findLastIndex(isSure);
  const seen = new Set<number>();
  /** How far in `known` the sends so far may have led; -1: nothing was stored. */
  let places = new Set([-1]);
  for (const [index, send] of sends.entries()) {
    const { content } = send;
    const reached = new Set<number>();
    for (const place of places) {
      if (known[place] === content) reached.add(place);
      if (known[place + 1] === content) reached.add(place + 1);
    }
    if (index !== lastSure) {
      const firstAt = known.indexOf(content);
      const isKnownBy = (place: number): boolean => seen.has(content) && firstAt >= 0 && firstAt <= place;
      for (const place of places) if (!isSure(send) || isKnownBy(place)) reached.add(place);
    }
    seen.add(content);
    if (reached.size === 0)
      return `lacks version ${content}: ${storyOf(sends.slice(Math.max(0, index - BEFORE)), found, dead)}`;
    places = reached;
  }
  if (places.has(known.length - 1)) return undefined;
  return `is not what was sent: ${storyOf(sends, found, dead)}`;
}

/** Of a long story, what came before it went wrong, and as much as a line takes. */
const BEFORE = 4;
const SHOWN = 16;

function storyOf(sends: readonly Send[], found: readonly number[], dead: ReadonlySet<number>): string {
  const sent = sends.map(
    ({ content, fate }) => `${content}${fate === 'doubt' ? '?' : dead.has(content) ? ' dead' : ''}`,
  );
  // From where both tell of the same.
  const start = found.indexOf(sends[0]?.content ?? 0);
  return `sent ${listOf(sent)}; found ${listOf(found.slice(Math.max(0, start)))}`;
}

function listOf(entries: readonly (string | number)[]): string {
  if (entries.length <= SHOWN) return `[${entries.join(', ')}]`;
  return `[${entries.slice(0, SHOWN).join(', ')} and ${entries.length - SHOWN} more]`;
}
