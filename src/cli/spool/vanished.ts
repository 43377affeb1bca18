/** Runs through what a generator gives; a file that the service removes meanwhile ends it early, which is no error. */
export async function* untilVanished<V>(found: AsyncIterable<V>): AsyncGenerator<V> {
  try {
    yield* found;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
