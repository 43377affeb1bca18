import 'reflect-metadata';

import { describe, expect, it } from '@jest/globals';

import { readSettings } from '../../src/config/settings.js';
import { filesOf, problemsOf } from './settings.problems.js';

const ON = {
  MDS_FB_ENABLE_HTTP_BROADCAST: 'true',
  MDS_FB_HTTP_ENDPOINT: 'https://second:8081/v1/feedback',
};
const readFile = filesOf({ token: 'secret-of-a-file\n', two: 'secret secret' });

describe('MDS_FB_HTTP_TOKEN', () => {
  it('is a token or stands in a file, and need not be there', () => {
    const tokenOf = (variables: Record<string, string>) =>
      readSettings({ ...ON, ...variables }, readFile).feedback.http?.token;
    expect(tokenOf({})).toBeUndefined();
    expect(tokenOf({ MDS_FB_HTTP_TOKEN: 'secret' })).toBe('secret');
    expect(tokenOf({ MDS_FB_HTTP_TOKEN_FILE: 'token' })).toBe('secret-of-a-file');
  });

  it.each([
    ['two words', 'MDS_FB_HTTP_TOKEN must be one token', { MDS_FB_HTTP_TOKEN: 'secret secret' }],
    ['a file with two words', 'MDS_FB_HTTP_TOKEN_FILE must be one token', { MDS_FB_HTTP_TOKEN_FILE: 'two' }],
    [
      'a file that is not there',
      'MDS_FB_HTTP_TOKEN_FILE must name a readable file (ENOENT)',
      { MDS_FB_HTTP_TOKEN_FILE: 'secret' },
    ],
    [
      'both',
      'MDS_FB_HTTP_TOKEN and MDS_FB_HTTP_TOKEN_FILE are both set',
      { MDS_FB_HTTP_TOKEN: 'secret', MDS_FB_HTTP_TOKEN_FILE: 'token' },
    ],
    [
      'a user in the address too',
      'MDS_FB_HTTP_TOKEN and a user in MDS_FB_HTTP_ENDPOINT are both set',
      { MDS_FB_HTTP_TOKEN: 'secret', MDS_FB_HTTP_ENDPOINT: 'https://user:secret@second/' },
    ],
  ])('stops the start when it is %s, and is not printed', (_what, problem, variables) => {
    const problems = problemsOf({ ...ON, ...variables }, readFile);
    expect(problems).toEqual([expect.stringContaining(problem)]);
    expect(problems.join()).not.toContain('secret');
  });
});

it('a heartbeat of 0 would send without end, and stops the start', () => {
  expect(problemsOf({ MDS_FB_HEARTBEAT_SEC: '0' })).toEqual([
    'MDS_FB_HEARTBEAT_SEC must be a number from 0.05 to 3600',
  ]);
  expect(readSettings({ MDS_FB_HEARTBEAT_SEC: '0.05' }).feedback.heartbeatMs).toBe(50);
});
