import { isNativeError } from 'node:util/types';

/** An error may be its own cause. */
const MOST_CAUSES = 8;

/**
 * Why something failed. The error of a connection often says nothing itself: fetch keeps it as the cause, Node as one
 * of several.
 */
export function reasonOf(error: unknown, mostCauses = MOST_CAUSES): string {
  if (!isNativeError(error)) return String(error);
  const causes = 'errors' in error && Array.isArray(error.errors) ? error.errors : [error.cause];
  const reasons = causes
    .filter((cause) => cause !== undefined && mostCauses > 0)
    .map((cause) => reasonOf(cause, mostCauses - 1));
  return [error.message, reasons.join('; ')].filter((part) => part !== '').join(': ') || error.name;
}
