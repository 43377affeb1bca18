import type { Grant } from '../config/grant.js';
import { ProblemError } from './problem.error.js';

/**
 * Lets a caller go on whose token may act for the provider.
 * @throws ProblemError `provider-forbidden`
 */
export function requireProvider(providers: Grant['providers'], provider: string): void {
  if (providers === undefined || providers.has(provider)) return;
  throw new ProblemError(
    'provider-forbidden',
    `The token may not act for the provider ${provider}; it is bound to ${[...providers].join(', ')}.`,
  );
}
