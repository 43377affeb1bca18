import type { SeriesKey } from '../series.key.js';

/** The forms in which bars are answered. */
export type Format = 'json' | TextFormat;

/** The forms in which a whole range is streamed. */
export type TextFormat = 'csv' | 'ndjson';

/** How each form is named to the client. */
export const CONTENT_TYPES = {
  json: 'application/json; charset=utf-8',
  ndjson: 'application/x-ndjson; charset=utf-8',
  csv: 'text/csv; charset=utf-8',
} as const;

/** What stands around the values of a bar in a form of text. */
export interface BarLayout {
  /** What comes before all bars. */
  readonly header: string;
  /** From the beginning of a bar to its time: the same for all bars of a series. */
  prefix(series: SeriesKey): string;
  /** Before open, high, low, close and volume. */
  readonly separators: readonly Buffer[];
  /** Before the age, of bars that tell it. */
  readonly age: Buffer;
  /** Behind all values. */
  readonly end: Buffer;
}

/** Column order of CSV and key order of JSON. */
const BAR_COLUMNS = 'provider,symbol,interval,ts,open,high,low,close,volume';

const jsonPrefix = ({ provider, symbol, interval }: SeriesKey): string =>
  `{"provider":${JSON.stringify(provider)},"symbol":${JSON.stringify(symbol)},"interval":"${interval}","ts":"`;

const JSON_SEPARATORS = ['","open":', ',"high":', ',"low":', ',"close":', ',"volume":'].map((text) =>
  Buffer.from(text),
);
const JSON_AGE = Buffer.from(',"age_seconds":');

export const BAR_LAYOUTS: Readonly<Record<Format, BarLayout>> = {
  json: {
    header: '{"bars":[',
    // Each bar with a comma before it; the answer leaves out the first one.
    prefix: (series) => `,${jsonPrefix(series)}`,
    separators: JSON_SEPARATORS,
    age: JSON_AGE,
    end: Buffer.from('}'),
  },
  csv: {
    header: `${BAR_COLUMNS}\n`,
    // RFC 4180; neither providers nor intervals can have a comma or a quote.
    prefix: ({ provider, symbol, interval }) => `${provider},${csvField(symbol)},${interval},`,
    separators: [',', ',', ',', ',', ','].map((text) => Buffer.from(text)),
    age: Buffer.from(','),
    end: Buffer.from('\n'),
  },
  ndjson: {
    header: '',
    prefix: jsonPrefix,
    separators: JSON_SEPARATORS,
    age: JSON_AGE,
    end: Buffer.from('}\n'),
  },
};

/** The layouts of bars that tell their age. */
export const AGED_LAYOUTS: typeof BAR_LAYOUTS = {
  ...BAR_LAYOUTS,
  csv: { ...BAR_LAYOUTS.csv, header: `${BAR_COLUMNS},age_seconds\n` },
};

function csvField(text: string): string {
  return /[",]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
