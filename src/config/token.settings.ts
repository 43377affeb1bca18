import type { Environment } from './environment.js';

/** The admin token of development; production refuses it. */
export const DEFAULT_ADMIN_TOKEN = 'changeme';

const PRODUCTION_TOKEN_LENGTH = 16;

/** The bearer tokens by what they may do. */
export interface TokenSettings {
  /** May do everything. */
  readonly admin: string;
  /** May only write. */
  readonly ingest: readonly string[];
  /** May only read. */
  readonly read: readonly string[];
}

/** Reads the tokens; appends to `problems` what is wrong with them, without quoting any. */
export function readTokens(
  env: Environment,
  production: boolean,
  readFile: (path: string) => string,
  problems: string[],
): TokenSettings {
  const admin = readAdminToken(env, readFile, problems) ?? DEFAULT_ADMIN_TOKEN;
  const ingest = splitList(env.INGEST_TOKEN);
  const read = splitList(env.READ_TOKEN);
  if (production) {
    const named = { ADMIN_TOKEN: [admin], INGEST_TOKEN: ingest, READ_TOKEN: read };
    for (const [name, tokens] of Object.entries(named)) {
      if (tokens.some((token) => token === DEFAULT_ADMIN_TOKEN || token.length < PRODUCTION_TOKEN_LENGTH)) {
        problems.push(
          `${name} must have at least ${PRODUCTION_TOKEN_LENGTH} characters and not be the default`,
        );
      }
    }
  }
  return { admin, ingest, read };
}

function readAdminToken(
  env: Environment,
  readFile: (path: string) => string,
  problems: string[],
): string | undefined {
  if (env.ADMIN_TOKEN_FILE === undefined) return env.ADMIN_TOKEN;
  if (env.ADMIN_TOKEN !== undefined) {
    problems.push('ADMIN_TOKEN and ADMIN_TOKEN_FILE are both set; set one of them');
    return undefined;
  }
  try {
    const token = readFile(env.ADMIN_TOKEN_FILE).trim();
    if (token !== '' && !/\s/.test(token)) return token;
    problems.push('ADMIN_TOKEN_FILE must name a file with one token in it');
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    problems.push(`ADMIN_TOKEN_FILE must name a readable file (${reason})`);
  }
  return undefined;
}

function splitList(list: string | undefined): readonly string[] {
  return list === undefined ? [] : list.split(',').map((token) => token.trim());
}
