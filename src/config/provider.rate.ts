/** How much a provider may send. */
export interface ProviderRate {
  /** Rows earned per second at scale 1, above 0. */
  readonly refillRate: number;
  /** Most rows that can be saved up, at least 1. */
  readonly burst: number;
}

/** The form of a provider's name, in words. */
export const PROVIDER_NAME_FORM = '1 to 64 characters of A-Za-z0-9._-';

const PROVIDER_NAME = /^[A-Za-z0-9._-]{1,64}$/;

/** True for 1 to 64 characters of `A-Za-z0-9._-`, as the provider of a bar. */
export function isProviderName(name: string): boolean {
  return PROVIDER_NAME.test(name);
}

/** What is wrong with a rate, or undefined when nothing is. */
export function rateProblem({ refillRate, burst }: ProviderRate): string | undefined {
  if (!(refillRate > 0 && refillRate <= Number.MAX_SAFE_INTEGER)) {
    return `the refill rate must be a number of rows per second above 0, not ${refillRate}`;
  }
  if (!(burst >= 1 && burst <= Number.MAX_SAFE_INTEGER)) {
    return `the burst must be a number of rows, at least 1, not ${burst}`;
  }
  return undefined;
}
