import { PROVIDER_NAME_FORM } from '../config/provider.rate.js';

/** A name that no provider can have. */
export class ProviderNameError extends RangeError {
  override readonly name = 'ProviderNameError';

  constructor(readonly provider: string) {
    super(`a provider's name is ${PROVIDER_NAME_FORM}, not ${JSON.stringify(provider.slice(0, 80))}`);
  }
}

/** A request about a provider that has no entry. */
export class UnknownProviderError extends Error {
  override readonly name = 'UnknownProviderError';

  constructor(readonly provider: string) {
    super(`the provider ${JSON.stringify(provider.slice(0, 80))} is not known`);
  }
}

/** As many providers are registered as are allowed. */
export class TooManyProvidersError extends Error {
  override readonly name = 'TooManyProvidersError';

  constructor(
    readonly provider: string,
    /** Most providers at once. */
    readonly limit: number,
  ) {
    super(`the provider ${JSON.stringify(provider)} is not registered: ${limit} providers are already`);
  }
}
