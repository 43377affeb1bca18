/** Which series a question is about; an absent part means all. */
export interface SeriesFilter {
  /** As they are stored. */
  readonly symbols?: readonly string[] | undefined;
  /** Of these providers only these of the symbols. */
  readonly caseSensitive?:
    { readonly providers: readonly string[]; readonly symbols: readonly string[] } | undefined;
  readonly provider?: string | undefined;
  readonly interval?: string | undefined;
}

/**
 * Condition on `series` with the parameters $1 to $5 of filterValues(). The symbols are hidden from the planner in a
 * query of their own: to look at 1,000 of them would take it longer than to find them.
 */
export const MATCHES_FILTER = `
  ($1::text[] IS NULL OR symbol COLLATE "C" = ANY((SELECT $1)::text[])) AND ($2::text IS NULL OR provider = $2)
  AND ($3::text IS NULL OR interval = $3)
  AND ($4::text[] IS NULL OR provider <> ALL ($4) OR symbol COLLATE "C" = ANY((SELECT $5)::text[]))`;

/** Values of the parameters $1 to $5. */
export function filterValues({ symbols, provider, interval, caseSensitive }: SeriesFilter): unknown[] {
  return [
    symbols ?? null,
    provider ?? null,
    interval ?? null,
    caseSensitive?.providers ?? null,
    caseSensitive?.symbols ?? null,
  ];
}
