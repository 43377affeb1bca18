import { expect, it } from '@jest/globals';

import { ServedDatabase } from '../api/api.samples.js';
import { eventually } from '../support/eventually.js';

const served = new ServedDatabase();

it('B8: requests with an unknown token are told in the log, at most once a minute, without the token', async () => {
  const { service } = served;
  const authorization = 'Bearer guessed-0123456789';
  expect((await service.fetch('/livez', { headers: { authorization: '' } })).status).toBe(200);
  for (let i = 0; i < 5; i += 1) {
    expect((await service.fetch('/healthz', { headers: { authorization } })).status).toBe(200);
    expect((await service.fetch('/v1/series', { headers: { authorization } })).status).toBe(401);
    const direct = { method: 'POST', body: '{}', headers: { authorization } };
    expect((await service.fetch('/v1/bars', direct)).status).toBe(401);
    expect((await service.post('{}', undefined, '?ack=durable', { authorization })).status).toBe(401);
  }
  const told = () => service.output().match(/requests with an unknown token: .*/g) ?? [];
  await eventually('it is told', () => told().length > 0);
  expect(told()).toEqual([expect.stringMatching(/^requests with an unknown token: 1, .*127\.0\.0\.1/)]);
  expect(service.output()).not.toContain('guessed');
});
