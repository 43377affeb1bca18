import type { Environment } from './environment.js';

/** Secrets that a file may hold instead, which their twin with `_FILE` names. */
type SecretVariable = 'ADMIN_TOKEN' | 'INGEST_TOKEN' | 'FEEDBACK_TOKEN' | 'READ_TOKEN' | 'MDS_FB_HTTP_TOKEN';

/** Text that was set, and by which variable. */
export interface Given {
  readonly variable: string;
  readonly text: string;
}

/** The text of a variable, or of the file that its twin with `_FILE` names; appends to `problems` what is wrong. */
export function readGiven(
  env: Environment,
  name: SecretVariable,
  readFile: (path: string) => string,
  problems: string[],
): Given | undefined {
  const text = env[name];
  const variable = `${name}_FILE` as const;
  const path = env[variable];
  if (path === undefined) return text === undefined ? undefined : { variable: name, text };
  if (text !== undefined) {
    problems.push(`${name} and ${variable} are both set; set one of them`);
    return undefined;
  }
  try {
    return { variable, text: readFile(path).trim() };
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    problems.push(`${variable} must name a readable file (${reason})`);
    return undefined;
  }
}
