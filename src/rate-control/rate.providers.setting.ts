import { isProviderName, type ProviderRate, rateProblem } from './provider.rate.js';

const DECIMAL = /^(\d+\.?\d*|\.\d+)$/;

/** A provider and its rate, as configured. */
export interface ConfiguredProvider extends ProviderRate {
  readonly provider: string;
}

/** The list of providers is not usable; the message names each bad entry. */
export class RateProvidersError extends Error {
  override readonly name = 'RateProvidersError';

  constructor(
    /** What is wrong with which entry, one line each. */
    readonly problems: readonly string[],
  ) {
    super(`MDP_RATE_PROVIDERS: ${problems.join('; ')}`);
  }
}

/**
 * Reads `name:refill_rows_per_s:burst_rows,...`, the value of MDP_RATE_PROVIDERS; blank means none.
 * @throws RateProvidersError
 */
export function parseRateProviders(list: string): readonly ConfiguredProvider[] {
  if (list.trim() === '') return [];
  const problems: string[] = [];
  const providers = new Map<string, ConfiguredProvider>();
  for (const entry of list.split(',').map((text) => text.trim())) {
    const [provider = '', refill = '', burst = '', ...rest] = entry.split(':').map((text) => text.trim());
    const configured = { provider, refillRate: numberOf(refill), burst: numberOf(burst) };
    const problem =
      rest.length > 0 || burst === ''
        ? 'must be name:refill_rows_per_s:burst_rows'
        : problemOf(configured, providers);
    if (problem === undefined) providers.set(provider, configured);
    else problems.push(`entry ${JSON.stringify(entry.slice(0, 80))}: ${problem}`);
  }
  if (problems.length > 0) throw new RateProvidersError(problems);
  return [...providers.values()];
}

function problemOf(
  { provider, refillRate, burst }: ConfiguredProvider,
  earlier: ReadonlyMap<string, unknown>,
): string | undefined {
  if (!isProviderName(provider)) return 'the name must be 1 to 64 characters of A-Za-z0-9._-';
  if (earlier.has(provider)) return 'the provider is there twice';
  if (Number.isNaN(refillRate) || Number.isNaN(burst)) return 'refill and burst must be decimal numbers';
  return rateProblem({ refillRate, burst });
}

/** Only plain decimals: `Number` would also take `0x10`, and nothing at all for 0. */
function numberOf(text: string): number {
  return DECIMAL.test(text) ? Number(text) : NaN;
}
