import type { Environment } from './environment.js';
import { type Given, readGiven } from './given.setting.js';
import type { KnownToken, Scope } from './grant.js';
import { isProviderName, PROVIDER_NAME_FORM } from './provider.rate.js';

/** The admin token of development; production refuses it. */
export const DEFAULT_ADMIN_TOKEN = 'changeme';

const PRODUCTION_TOKEN_LENGTH = 16;
/** RFC 6750, section 2.1: the characters a bearer token may have. A comma or an `@` is none of them. */
const TOKEN = /^[A-Za-z0-9._~+/-]+=*$/;
const TOKEN_FORM = 'letters, digits and -._~+/=';
/** An admin token in a file stands alone: what a client can send without a blank is good. */
export const PRINTABLE = /^[!-~]+$/;

/** The lists of tokens, by what their tokens may do. */
const LISTS = { INGEST_TOKEN: 'ingest', FEEDBACK_TOKEN: 'feedback', READ_TOKEN: 'read' } as const;

/** The bearer tokens. */
export interface TokenSettings {
  /** May do everything. */
  readonly admin: string;
  /** Those that may do less. */
  readonly others: readonly KnownToken[];
}

/** Reads the tokens; appends to `problems` what is wrong with them, without quoting any. */
export function readTokens(
  env: Environment,
  production: boolean,
  readFile: (path: string) => string,
  problems: string[],
): TokenSettings {
  const setters = new TokenSetters(problems);
  const given = readGiven(env, 'ADMIN_TOKEN', readFile, problems);
  const admin = adminToken(given, problems) ?? DEFAULT_ADMIN_TOKEN;
  setters.add(admin, given?.variable ?? 'ADMIN_TOKEN');
  const others = Object.entries(LISTS).flatMap(([name, scope]) => {
    const list = readGiven(env, name as keyof typeof LISTS, readFile, problems);
    return list === undefined ? [] : readList(list, scope, setters, problems);
  });
  if (production) setters.tellWeak();
  return { admin, others };
}

function adminToken(given: Given | undefined, problems: string[]): string | undefined {
  if (given === undefined) return undefined;
  if (given.variable === 'ADMIN_TOKEN' && TOKEN.test(given.text)) return given.text;
  if (given.variable !== 'ADMIN_TOKEN' && PRINTABLE.test(given.text)) return given.text;
  problems.push(
    given.variable === 'ADMIN_TOKEN'
      ? `ADMIN_TOKEN must be a bearer token (${TOKEN_FORM})`
      : 'ADMIN_TOKEN_FILE must name a file with one token in it (printable ASCII without blanks)',
  );
  return undefined;
}

/** Reads `token,token@provider+provider,...`; only ingest tokens may be bound to providers. */
function readList(
  { variable, text }: Given,
  scope: Scope,
  setters: TokenSetters,
  problems: string[],
): readonly KnownToken[] {
  const known: KnownToken[] = [];
  for (const [index, entry] of text.split(',').entries()) {
    const [token = '', bound, ...more] = entry.trim().split('@');
    const providers = bound?.split('+');
    const problem =
      TOKEN.test(token) && more.length === 0
        ? providersProblem(providers, scope, index + 1)
        : `must be a comma list of bearer tokens (${TOKEN_FORM}); entry ${index + 1} is none`;
    if (problem !== undefined) {
      problems.push(`${variable} ${problem}`);
      continue;
    }
    setters.add(token, variable);
    known.push({ token, scope, providers: providers && new Set(providers) });
  }
  return known;
}

function providersProblem(
  providers: readonly string[] | undefined,
  scope: Scope,
  entry: number,
): string | undefined {
  if (providers === undefined) return undefined;
  if (scope !== 'ingest')
    return `must not bind entry ${entry} to providers with an @; only tokens of INGEST_TOKEN may be`;
  if (providers.every(isProviderName)) return undefined;
  return `must bind entry ${entry} as token@provider+provider; a provider has ${PROVIDER_NAME_FORM}`;
}

/** By which variable each token was set. */
class TokenSetters {
  private readonly variables = new Map<string, string>();

  constructor(private readonly problems: string[]) {}

  /** A token that is set twice would have one of its two meanings in silence. */
  add(token: string, variable: string): void {
    const earlier = this.variables.get(token);
    this.variables.set(token, variable);
    if (earlier === undefined) return;
    this.problems.push(
      earlier === variable
        ? `${variable} has one token twice; each may be there once`
        : `${earlier} and ${variable} have a token in common; each token may be in one of them`,
    );
  }

  /** Adds a problem for each variable with a token that production refuses. */
  tellWeak(): void {
    const weak = [...this.variables].filter(
      ([token]) => token === DEFAULT_ADMIN_TOKEN || token.length < PRODUCTION_TOKEN_LENGTH,
    );
    for (const variable of new Set(weak.map(([, name]) => name))) {
      this.problems.push(
        `${variable} must have at least ${PRODUCTION_TOKEN_LENGTH} characters and not be the default`,
      );
    }
  }
}
