/** Which series a question is about; an absent part means all. */
export interface SeriesFilter {
  readonly symbols?: readonly string[] | undefined;
  readonly provider?: string | undefined;
  readonly interval?: string | undefined;
}

/**
 * Condition on `series` with the parameters $1 to $3 of filterValues(). The symbols are hidden from the planner in a
 * query of their own: to look at 1,000 of them would take it longer than to find them.
 */
export const MATCHES_FILTER = `
  ($1::text[] IS NULL OR symbol COLLATE "C" = ANY((SELECT $1)::text[])) AND ($2::text IS NULL OR provider = $2)
  AND ($3::text IS NULL OR interval = $3)`;

/** Values of the parameters $1 to $3. */
export function filterValues({ symbols, provider, interval }: SeriesFilter): unknown[] {
  return [symbols ?? null, provider ?? null, interval ?? null];
}
