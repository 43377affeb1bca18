const BAR = {
  provider: 'ibkr',
  symbol: 'AAPL',
  interval: '1d',
  ts: '2026-01-02T00:00:00Z',
  open: 187.15,
  high: 188.44,
  low: 183.89,
  close: 185.64,
  volume: 82488700,
};

/** The forms of a JSON body. */
export const BARS_EXAMPLES_JSON = {
  array: { summary: 'An array', value: [BAR] },
  object: { summary: 'An object', value: { bars: [BAR] } },
  one: { summary: 'One bar', value: BAR },
};

/** The same bar as NDJSON. */
export const BARS_EXAMPLE_NDJSON = `${JSON.stringify(BAR)}\n`;

/** The same bar as CSV. */
export const BARS_EXAMPLE_CSV = `${Object.keys(BAR).join(',')}\n${Object.values(BAR).join(',')}\n`;

/** The same bar, read back. */
export const BAR_PAGE_EXAMPLE = { bars: [BAR], next_page_token: null };

const AGED_BAR = { ...BAR, age_seconds: 75600.125 };

/** The same bar, read back on the evening of its day. */
export const LATEST_BARS_EXAMPLE = { bars: [AGED_BAR], next_page_token: null };

/** The same as NDJSON. */
export const LATEST_BARS_EXAMPLE_NDJSON = `${JSON.stringify(AGED_BAR)}\n`;

/** The same as CSV. */
export const LATEST_BARS_EXAMPLE_CSV = `${Object.keys(AGED_BAR).join(',')}\n${Object.values(AGED_BAR).join(',')}\n`;

const ACCEPTED = {
  batch_id: '6f7b0e0c-6f2e-4f3a-9c39-0a8f4d7d5a10',
  accepted: 1,
  rejected: 0,
  errors: [],
  errors_truncated: false,
  ignored_fields: [],
  ignored_fields_truncated: false,
  queue: { size: 1, capacity: 500000, utilization: 0.000002, level: 'ok' },
};

/** A body whose commit was waited for. */
export const STORED_RESULT_EXAMPLE = { ...ACCEPTED, inserted: 1, updated: 0, unchanged: 0, superseded: 0 };

/** What becomes of a body. */
export const INGEST_RESULT_EXAMPLES = {
  accepted: { summary: 'All bars safe', value: ACCEPTED },
  skipped: {
    summary: 'A bad bar skipped (on_error=skip)',
    value: {
      ...ACCEPTED,
      rejected: 1,
      errors: [
        {
          line: 2,
          pointer: '/close',
          code: 'not-finite',
          detail: 'close is larger than a 64-bit floating point number can hold',
        },
      ],
    },
  },
};
