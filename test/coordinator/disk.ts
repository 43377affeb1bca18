import { nodeFileSystem, type SpoolFileSystem } from '../../src/coordinator/spool/spool.file-system.js';

/** The real disk, but for what becomes of each write to a file that it makes: `write` is the real one. */
export function diskThat(
  write: (path: string, write: () => Promise<number>) => Promise<number>,
): SpoolFileSystem {
  return {
    ...nodeFileSystem,
    create: async (path, options) => {
      const file = await nodeFileSystem.create(path, options);
      const really = file.write.bind(file);
      return Object.assign(file, {
        write: (...args: Parameters<typeof really>) => write(path, () => really(...args)),
      });
    },
  };
}
