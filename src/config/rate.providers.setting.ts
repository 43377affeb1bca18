import { isProviderName, PROVIDER_NAME_FORM, type ProviderRate, rateProblem } from './provider.rate.js';

const DECIMAL = /^(\d+\.?\d*|\.\d+)$/;

/** A provider and its rate, as configured. */
export interface ConfiguredProvider extends ProviderRate {
  readonly provider: string;
}

/**
 * Reads `name:refill_rows_per_s:burst_rows,...`, the value of MDP_RATE_PROVIDERS; appends to `problems` what is wrong
 * with which entry, by its place in the list.
 */
export function readRateProviders(
  list: string | undefined,
  problems: string[],
): readonly ConfiguredProvider[] {
  if (list === undefined) return [];
  const providers = new Map<string, ConfiguredProvider>();
  for (const [index, entry] of list.split(',').entries()) {
    const [provider = '', refill = '', burst = '', ...rest] = entry.split(':').map((text) => text.trim());
    const configured = { provider, refillRate: numberOf(refill), burst: numberOf(burst) };
    const problem =
      rest.length > 0 || burst === ''
        ? 'it must be name:refill_rows_per_s:burst_rows'
        : problemOf(configured, providers);
    if (problem !== undefined) problems.push(`MDP_RATE_PROVIDERS entry ${index + 1}: ${problem}`);
    else providers.set(provider, configured);
  }
  return [...providers.values()];
}

/**
 * Reads `name,name,...` or `*`, the value of the variable; appends to `problems` which entry is no provider's name, by
 * its place in the list.
 */
export function readProviderNames(
  variable: string,
  list: string,
  problems: string[],
): readonly string[] | '*' {
  if (list === '*') return '*';
  const names = list.split(',').map((name) => name.trim());
  for (const [index, name] of names.entries()) {
    if (isProviderName(name)) continue;
    const what =
      name === '*' ? '* stands for every provider and must be alone' : `it must be ${PROVIDER_NAME_FORM}`;
    problems.push(`${variable} entry ${index + 1}: ${what}`);
  }
  return names;
}

function problemOf(
  { provider, refillRate, burst }: ConfiguredProvider,
  earlier: ReadonlyMap<string, unknown>,
): string | undefined {
  if (!isProviderName(provider)) return `the name must be ${PROVIDER_NAME_FORM}`;
  if (earlier.has(provider)) return 'the provider is there twice';
  if (Number.isNaN(refillRate) || Number.isNaN(burst)) return 'refill and burst must be decimal numbers';
  return rateProblem({ refillRate, burst });
}

/** Only plain decimals: `Number` would also take `0x10`, and nothing at all for 0. */
function numberOf(text: string): number {
  return DECIMAL.test(text) ? Number(text) : NaN;
}
