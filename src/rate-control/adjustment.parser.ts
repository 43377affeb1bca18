import { isProviderName, PROVIDER_NAME_FORM } from '../config/provider.rate.js';
import { ContractError, parseContract, RateAdjustment } from '../core/index.js';

/**
 * Reads an adjustment from elsewhere. Beside what Core asks for, its provider must be one that bars can have.
 * @throws ContractError naming each field that is wrong
 */
export function parseAdjustment(document: unknown): RateAdjustment {
  const adjustment = parseContract(RateAdjustment, document);
  if (isProviderName(adjustment.provider)) return adjustment;
  throw new ContractError('RateAdjustment', [{ field: 'provider', detail: `must be ${PROVIDER_NAME_FORM}` }]);
}
