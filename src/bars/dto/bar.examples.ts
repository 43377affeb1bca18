/** The same bar in the three forms of a body. */
export const BARS_EXAMPLE_JSON = [
  {
    provider: 'ibkr',
    symbol: 'AAPL',
    interval: '1d',
    ts: '2026-01-02T00:00:00Z',
    open: 187.15,
    high: 188.44,
    low: 183.89,
    close: 185.64,
    volume: 82488700,
  },
];

export const BARS_EXAMPLE_NDJSON = `${JSON.stringify(BARS_EXAMPLE_JSON[0])}\n`;

export const BARS_EXAMPLE_CSV =
  'provider,symbol,interval,ts,open,high,low,close,volume\n' +
  'ibkr,AAPL,1d,2026-01-02T00:00:00Z,187.15,188.44,183.89,185.64,82488700\n';
