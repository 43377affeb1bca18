/** The body as a whole cannot be read: no row of it is known. The message is fit for the sender's eyes. */
export class MalformedBodyError extends Error {
  override readonly name = 'MalformedBodyError';
}
