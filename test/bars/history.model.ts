/**
 * A version of a bar: when it was received, values of which the first decides first, and whether it was sent to keep what
 * is stored.
 */
export interface Version {
  readonly at: number;
  readonly keeps?: boolean;
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
 * one time the greatest, of a run of equal values the first. Of confirmations only the last is remembered. A kept version
 * stands only as long as none is known that came before it.
 */
export function write(known: KeyHistory | undefined, came: readonly Version[]): KeyWrite {
  const firstCame = [...came].sort(compare)[0]?.at ?? 0;
  const givesWay = ({ keeps = false, at }: Version) => keeps && at >= firstCame;
  const before = (known?.versions ?? []).filter((version) => !givesWay(version));
  const current = known?.versions.at(-1);
  const isConfirmed = current && known && known.newestAt > current.at;
  // Only a version that replaces confirms.
  const confirmation = isConfirmed ? [{ at: known.newestAt, values: current.values }] : [];
  const all = [...before, ...confirmation, ...came].sort(compare);
  const ofEachTime = all.filter((version, index) => version.at !== all[index + 1]?.at);
  const versions = ofEachTime.filter((version, index) => {
    const former = ofEachTime[index - 1];
    return former === undefined || compareValues(former, version) !== 0;
  });
  const isKnown = (version: Version) =>
    [...before, ...confirmation].some((other) => compare(other, version) === 0);
  const lastAt = known === undefined ? firstCame : ((confirmation[0] ?? before.at(-1))?.at ?? -Infinity);
  const newest = all.at(-1);
  const first = known === undefined ? ofEachTime[0] : undefined;
  const changes = versions.filter(
    (version) =>
      !isKnown(version) &&
      (version.at > lastAt || (version.at === lastAt && known !== undefined)) &&
      !(current && givesWay(current) && version === versions[0] && compareValues(version, current) === 0),
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

/** The same of versions that keep what is stored: the first of them is stored if nothing is. */
export function keep(known: KeyHistory | undefined, came: readonly Version[]): KeyWrite {
  const [first] = [...came].sort((a, b) => a.at - b.at);
  const stored = known?.versions.at(-1) ?? first;
  return {
    history: known ?? { versions: first ? [{ ...first, keeps: true }] : [], newestAt: first?.at ?? 0 },
    inserted: known === undefined ? 1 : 0,
    updated: 0,
    superseded: came.filter((version) => stored && compareValues(version, stored) !== 0).length,
  };
}
