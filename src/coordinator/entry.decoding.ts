import type { EntryCodec } from './durable.options.js';
import type { Entry } from './sink.js';

/** The entry that was put on disk with so many rows, or why its bytes cannot be understood. */
export function decodeWhole<T extends Entry, R>(
  codec: EntryCodec<T, R>,
  payload: Buffer,
  { time, rows }: { readonly time: number; readonly rows: number },
): T | Error {
  try {
    const entry = codec.decode(payload, time);
    return entry.rows === rows ? entry : new Error(`${entry.rows} rows were read, ${rows} were accepted`);
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}
