import { resolve } from 'node:path';

/** Absolute path of the data directory that MDS_DATA_DIR names; set to nothing it counts as unset. */
export function dataDirectoryPath(variable: string | undefined): string {
  const path = variable?.trim() ?? '';
  return resolve(path === '' ? './data' : path);
}
