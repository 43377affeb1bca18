/** A scrape of /metrics, read. */
export interface Exposition {
  /** Type and help of each metric, by name. */
  readonly metrics: ReadonlyMap<string, { readonly type: string; readonly help: string }>;
  /** The value of one series; undefined when it is not there. Labels go in any order. */
  value(name: string, labels?: Readonly<Record<string, string>>): number | undefined;
  /** The sum over all series of a name that have these labels, and perhaps others. */
  sum(name: string, labels?: Readonly<Record<string, string>>): number;
}

interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const SAMPLE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /(\w+)="([^"]*)"/g;

/** Reads the text format of Prometheus, as far as the service uses it. */
export function readExposition(text: string): Exposition {
  const metrics = new Map<string, { type: string; help: string }>();
  const samples: Sample[] = [];
  for (const line of text.split('\n')) {
    const [, kind, name, rest] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? [];
    if (kind !== undefined && name !== undefined && rest !== undefined) {
      const { type, help } = metrics.get(name) ?? { type: '', help: '' };
      metrics.set(name, kind === 'TYPE' ? { type: rest, help } : { type, help: rest });
      continue;
    }
    const [, sample, labels = '', value] = SAMPLE.exec(line) ?? [];
    if (sample !== undefined)
      samples.push({ name: sample, labels: readLabels(labels), value: Number(value) });
  }
  const matching = (name: string, labels: Readonly<Record<string, string>>): Sample[] =>
    samples.filter(
      (one) =>
        one.name === name && Object.entries(labels).every(([label, value]) => one.labels[label] === value),
    );
  return {
    metrics,
    value: (name, labels = {}) =>
      matching(name, labels).find((one) => Object.keys(one.labels).length === Object.keys(labels).length)
        ?.value,
    sum: (name, labels = {}) => matching(name, labels).reduce((sum, { value }) => sum + value, 0),
  };
}

function readLabels(text: string): Record<string, string> {
  return Object.fromEntries([...text.matchAll(LABEL)].map(([, name = '', value = '']) => [name, value]));
}
