const INTERVAL = /^([1-9][0-9]{0,3})(s|m|min|h|d|w|mo)$/;

/** The stored form of a bar's interval (`5min` is stored as `5m`, all others as they are); undefined when it is not one. */
export function parseInterval(text: string): string | undefined {
  const [, count, unit] = INTERVAL.exec(text) ?? [];
  if (count === undefined || unit === undefined) return undefined;
  return unit === 'min' ? `${count}m` : text;
}
