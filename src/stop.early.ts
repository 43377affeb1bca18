/** Ends the process as a clean stop does, while there is nothing yet that must be stopped in order. */
export function stopAtOnce(): void {
  process.exit(0);
}
