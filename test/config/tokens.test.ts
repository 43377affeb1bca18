import { describe, expect, it } from '@jest/globals';

import { readSettings } from '../../src/config/settings.js';
import { TokenAuthenticator } from '../../src/config/token.authenticator.js';
import { filesOf, problemsOf as problemsWith } from './settings.problems.js';

const readFile = filesOf({
  admin: ' p@ss,word!\n',
  ingest: ' one@ibkr, two\n',
  empty: '\n',
  accented: 'tökenn',
});
const problemsOf = (variables: NodeJS.ProcessEnv) => problemsWith(variables, readFile);

const grantOf = (variables: Record<string, string>, token: string) =>
  new TokenAuthenticator(readSettings(variables, readFile).tokens).authenticate(`Bearer ${token}`);

describe('a token', () => {
  it('that is unknown is told of with where it came from, once for each request', () => {
    const told: string[] = [];
    const tokens = new TokenAuthenticator(readSettings({ ADMIN_TOKEN: 'root' }).tokens, (address) =>
      told.push(address),
    );
    for (const authorization of ['Bearer root', undefined, 'Bearer guess', 'Basic guess'])
      tokens.authenticate(authorization, { remoteAddress: '10.0.0.1' });
    tokens.authenticate('Bearer guess');
    expect(told).toEqual(['10.0.0.1', '10.0.0.1']);
  });

  it.each([
    ['ADMIN_TOKEN', 'admin'],
    ['INGEST_TOKEN', 'ingest'],
    ['FEEDBACK_TOKEN', 'feedback'],
    ['READ_TOKEN', 'read'],
  ])('of %s has the scope %s and is bound to no provider', (variable, scope) => {
    expect(grantOf({ [variable]: 'some.token' }, 'some.token')).toEqual({ scope, providers: undefined });
  });

  it('of INGEST_TOKEN is bound to the providers that stand behind its @', () => {
    const variables = { INGEST_TOKEN: 'a+b=@ibkr+polygon.io , other' };
    expect(grantOf(variables, 'a+b=')).toEqual({
      scope: 'ingest',
      providers: new Set(['ibkr', 'polygon.io']),
    });
    expect(grantOf(variables, 'other')).toEqual({ scope: 'ingest', providers: undefined });
    expect(grantOf(variables, 'a+b=@ibkr+polygon.io')).toBeUndefined();
  });

  it('may come from a file, where an admin token may have any printable characters', () => {
    expect(grantOf({ ADMIN_TOKEN_FILE: 'admin' }, 'p@ss,word!')?.scope).toBe('admin');
    const variables = { INGEST_TOKEN_FILE: 'ingest' };
    expect(grantOf(variables, 'one')?.providers).toEqual(new Set(['ibkr']));
    expect(grantOf(variables, 'two')).toEqual({ scope: 'ingest', providers: undefined });
  });

  it.each([
    ['an empty entry', 'INGEST_TOKEN', { INGEST_TOKEN: 'secret,,secre2' }],
    ['a blank', 'READ_TOKEN', { READ_TOKEN: 'secret token' }],
    ['a character that no bearer token has', 'FEEDBACK_TOKEN', { FEEDBACK_TOKEN: 'secret;' }],
    ['no token before its providers', 'INGEST_TOKEN', { INGEST_TOKEN: '@secret' }],
    ['no provider behind its @', 'INGEST_TOKEN', { INGEST_TOKEN: 'secret@' }],
    ['an empty provider', 'INGEST_TOKEN', { INGEST_TOKEN: 'secret@ibkr+' }],
    ['a provider that no bar can have', 'INGEST_TOKEN', { INGEST_TOKEN: 'secret@a b' }],
    ['two @', 'INGEST_TOKEN', { INGEST_TOKEN: 'secret@a@b' }],
    ['providers, and is to read', 'READ_TOKEN', { READ_TOKEN: 'secret@ibkr' }],
    ['providers, and is to post events', 'FEEDBACK_TOKEN', { FEEDBACK_TOKEN: 'secret@ibkr' }],
    ['an @, outside a file', 'ADMIN_TOKEN', { ADMIN_TOKEN: 'secret@x' }],
    ['letters that no client can send', 'ADMIN_TOKEN_FILE', { ADMIN_TOKEN_FILE: 'accented' }],
    ['a file with nothing in it', 'READ_TOKEN_FILE', { READ_TOKEN_FILE: 'empty' }],
    ['a file that is not there', 'FEEDBACK_TOKEN_FILE', { FEEDBACK_TOKEN_FILE: '/secret' }],
    ['also a file', 'INGEST_TOKEN', { INGEST_TOKEN: 'secret', INGEST_TOKEN_FILE: 'ingest' }],
  ])('with %s stops the start: %s', (_what, variable, variables) => {
    const problems = problemsOf(variables);
    expect(problems).toEqual([expect.stringMatching(new RegExp(`^${variable} `))]);
    expect(problems.join()).not.toMatch(/secret|tökenn/);
  });
});

describe('B8: one token in two settings', () => {
  it.each([
    ['ADMIN_TOKEN', 'READ_TOKEN'],
    ['INGEST_TOKEN', 'READ_TOKEN'],
    ['INGEST_TOKEN', 'FEEDBACK_TOKEN'],
    ['FEEDBACK_TOKEN', 'READ_TOKEN'],
  ])('stops the start and is not printed: %s and %s', (first, second) => {
    const problems = problemsOf({ [first]: 'twofold', [second]: 'single,twofold' });
    expect(problems).toEqual([expect.stringContaining(`${first} and ${second} `)]);
    expect(problems.join()).not.toContain('twofold');
  });

  it('also in a file, for the default of the admin token, and twice in one setting', () => {
    expect(problemsOf({ INGEST_TOKEN_FILE: 'ingest', READ_TOKEN: 'one' })).toEqual([
      expect.stringContaining('INGEST_TOKEN_FILE and READ_TOKEN '),
    ]);
    expect(problemsOf({ READ_TOKEN: 'changeme' })).toEqual([
      expect.stringContaining('ADMIN_TOKEN and READ_TOKEN '),
    ]);
    expect(problemsOf({ INGEST_TOKEN: 'one@ibkr,one@polygon' })).toEqual([
      expect.stringContaining('INGEST_TOKEN has one token twice'),
    ]);
  });

  it('is told beside what else is wrong', () => {
    const problems = problemsOf({ NODE_ENV: 'production', ADMIN_TOKEN: 'short', READ_TOKEN: 'short' });
    expect(problems.map((line) => line.split(' must')[0])).toEqual([
      expect.stringContaining('ADMIN_TOKEN and READ_TOKEN'),
      'READ_TOKEN',
    ]);
  });
});
