/** The environment is not usable; the message lists every bad variable and no value. */
export class SettingsError extends Error {
  constructor(readonly problems: readonly string[]) {
    super(
      `the service does not start: ${problems.length} setting(s) are wrong\n${problems.map((line) => `  - ${line}`).join('\n')}`,
    );
    this.name = 'SettingsError';
  }
}
