/** Where errors of foreign callbacks go when nobody asked for them: a process warning, so that none is swallowed. */
export function warn(error: unknown): void {
  process.emitWarning(error instanceof Error ? error : String(error));
}

/** Calls foreign code: what it throws, or rejects with, goes to `onError` and never to the caller. */
export function callGuarded(call: () => unknown, onError: (error: unknown) => void = warn): void {
  const report = (error: unknown) => {
    try {
      onError(error);
    } catch (second) {
      warn(second);
    }
  };
  try {
    const result = call();
    if (typeof result === 'object' && result !== null && 'then' in result)
      Promise.resolve(result).catch(report);
  } catch (error) {
    report(error);
  }
}
