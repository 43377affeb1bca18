/** A command cannot be carried out as it was given; the message is one sentence that says what to do. */
export class CliError extends Error {
  override readonly name = 'CliError';
}
