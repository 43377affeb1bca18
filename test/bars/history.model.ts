/** A version of a bar: when it was received, and values of which the first decides first. */
export interface Version {
  readonly at: number;
  readonly values: readonly [open: number, close: number];
}

/** What is known of one key: what it was, oldest first, the last being current, and when that was last received. */
export interface KeyHistory {
  readonly versions: readonly Version[];
  readonly newestAt: number;
}

/** What a write did to a key. */
export interface KeyWrite {
  readonly history: KeyHistory;
  readonly inserted: number;
  readonly updated: number;
  /** Versions that came with other values than the current ones, and were not counted as a change. */
  readonly superseded: number;
}

const compareValues = (a: Version, b: Version): number =>
  a.values[0] - b.values[0] || a.values[1] - b.values[1];
const compare = (a: Version, b: Version): number => a.at - b.at || compareValues(a, b);

/**
 * The history of a key after some versions of it were committed together: all that is known in the order of receipt, of
 * one time the greatest, of a run of equal values the first. Of confirmations only the last is remembered.
 */
export function write(known: KeyHistory | undefined, came: readonly Version[]): KeyWrite {
  const before = known?.versions ?? [];
  const current = before.at(-1);
  const confirmation = current && known ? [{ ...current, at: known.newestAt }] : [];
  const all = [...before, ...confirmation, ...came].sort(compare);
  const ofEachTime = all.filter((version, index) => version.at !== all[index + 1]?.at);
  const versions = ofEachTime.filter((version, index) => {
    const former = ofEachTime[index - 1];
    return former === undefined || compareValues(former, version) !== 0;
  });
  const isKnown = (version: Version) =>
    [...before, ...confirmation].some((other) => compare(other, version) === 0);
  const firstCame = [...came].sort(compare)[0]?.at ?? 0;
  const lastAt = known?.newestAt ?? firstCame;
  const newest = all.at(-1);
  const first = known === undefined ? ofEachTime[0] : undefined;
  const changes = versions.filter(
    (version) => !isKnown(version) && (version.at > lastAt || (version.at === lastAt && known !== undefined)),
  );
  const isChange = (version: Version) =>
    version === first || changes.some((change) => compare(change, version) === 0);
  return {
    history: { versions, newestAt: newest?.at ?? 0 },
    inserted: first ? 1 : 0,
    updated: changes.length,
    superseded: came.filter((version) => newest && compareValues(version, newest) !== 0 && !isChange(version))
      .length,
  };
}
