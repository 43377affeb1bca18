import { readSettings } from '../../src/config/settings.js';
import { SettingsError } from '../../src/config/settings.error.js';

/** Gives the text of a file that a setting names. */
export type ReadFile = (path: string) => string;

/** Files in memory, by path; every other one is not there. */
export function filesOf(files: Readonly<Record<string, string>>): ReadFile {
  return (path) => {
    const text = files[path];
    if (text === undefined) throw Object.assign(new Error('no such file'), { code: 'ENOENT' });
    return text;
  };
}

/** What stops a start with these variables; empty when nothing does. */
export function problemsOf(variables: NodeJS.ProcessEnv, readFile?: ReadFile): readonly string[] {
  try {
    readSettings(variables, readFile);
    return [];
  } catch (error) {
    if (error instanceof SettingsError) return error.problems;
    throw error;
  }
}
