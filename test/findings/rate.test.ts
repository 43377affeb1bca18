import { describe, expect, it } from '@jest/globals';

import { bar, ServedDatabase, TYPES, write } from '../api/api.samples.js';
import { readExposition } from '../contract/exposition.js';
import { follow } from '../feedback/followed.stream.js';
import { eventually } from '../support/eventually.js';

interface Entry {
  readonly provider: string;
  readonly scale: number;
}

async function entriesOf({ service }: ServedDatabase): Promise<Entry[]> {
  const answer = await service.fetch('/v1/rate-control/providers');
  return ((await answer.json()) as { providers: Entry[] }).providers;
}

async function scrape({ service }: ServedDatabase) {
  return readExposition(await (await service.fetch('/metrics')).text());
}

function send({ service }: ServedDatabase, method: string, path: string, body: object) {
  return service.fetch(`/v1/${path}`, {
    method,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
}

async function tell(served: ServedDatabase, level: string) {
  const event = { coordinator_id: 'elsewhere', queue_size: 9, capacity: 10, level, ts: Date.now() / 1000 };
  expect((await send(served, 'POST', 'feedback', event)).status).toBe(202);
}

const post = ({ service }: ServedDatabase, provider: string) =>
  service.post(write([bar({ provider })], 'json'), TYPES.json, '?ack=durable');

describe('C3: a provider for which no rate is set', () => {
  // Long enough that no level expires by itself.
  const served = new ServedDatabase({ MDS_FB_HEARTBEAT_SEC: '600' });
  const entryOf = async (name: string) => (await entriesOf(served)).find(({ provider }) => provider === name);

  it('has an entry, a sample and an adjustment from its first bar on', async () => {
    const stream = await follow(served.service, 'adjustment');
    expect(await entriesOf(served)).toEqual([]);
    expect((await post(served, 'ibkr')).status).toBe(202);
    expect(await entriesOf(served)).toEqual([
      {
        provider: 'ibkr',
        refill_rate: null,
        burst: null,
        scale: 1,
        pressure: 'ok',
        tokens: null,
        circuit_state: 'closed',
        cooldown_until: null,
      },
    ]);
    const scraped = await scrape(served);
    expect(scraped.value('pipeline_rate_scale_factor', { provider: 'ibkr' })).toBe(1);
    expect(scraped.value('pipeline_backpressure_state', { provider: 'ibkr' })).toBe(0);
    await eventually('its scale is told', 10_000, () => stream.events.length === 1);
    expect(stream.events[0]).toMatchObject({ provider: 'ibkr', scale: 1, reason: 'ok' });
    stream.stop();
  });

  it('follows the level, is told so, and is not refused', async () => {
    const stream = await follow(served.service, 'adjustment');
    await tell(served, 'hard');
    await eventually('the scale is 0', 10_000, async () => (await entryOf('ibkr'))?.scale === 0);
    const scraped = await scrape(served);
    expect(scraped.value('pipeline_rate_scale_factor', { provider: 'ibkr' })).toBe(0);
    expect(scraped.value('pipeline_backpressure_state', { provider: 'ibkr' })).toBe(2);
    await eventually('it is told', 10_000, () => stream.events.at(-1)?.['scale'] === 0);
    expect(stream.events.at(-1)).toMatchObject({ provider: 'ibkr', reason: 'hard' });
    stream.stop();

    expect((await post(served, 'ibkr')).status).toBe(202);
    // One whose first bar comes now is told the level that holds.
    expect((await post(served, 'polygon')).status).toBe(202);
    expect(await entryOf('polygon')).toMatchObject({ scale: 0, pressure: 'hard' });
    const acquired = await send(served, 'POST', 'rate-control/providers/ibkr/acquire', { tokens: 5 });
    expect([acquired.status, await acquired.json()]).toEqual([200, { granted: 5, remaining: null }]);

    expect(served.service.output()).toContain(
      'ibkr may send at 0 of full speed (hard); this is told and not enforced: no rate is set',
    );
    expect(served.service.output()).not.toContain('of its rate');
  });

  it('is refused when a rate is set for it, and then the log says so', async () => {
    const rate = { refill_rate: 1000, burst: 1000 };
    const put = await send(served, 'PUT', 'rate-control/providers/ibkr', rate);
    expect(await put.json()).toMatchObject({ ...rate, scale: 0, pressure: 'hard', tokens: 1000 });
    const refused = await post(served, 'ibkr');
    expect([refused.status, refused.json.code]).toEqual([429, 'rate-limited']);
    await tell(served, 'ok');
    await eventually('it is released', 10_000, async () => (await entryOf('ibkr'))?.scale === 1);
    expect((await post(served, 'ibkr')).status).toBe(202);
    await eventually('it is logged', 10_000, () =>
      served.service.output().includes('ibkr may send at 1 of the rate that is set (ok)'),
    );
  });

  it('is refused while a cooldown is on that was asked for it', async () => {
    const cool = (seconds: number) =>
      send(served, 'POST', 'rate-control/providers/polygon/cooldown', { seconds });
    expect((await cool(600)).status).toBe(200);
    const refused = await post(served, 'polygon');
    expect([refused.status, refused.json.code]).toEqual([429, 'rate-limited']);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(300);
    expect((await cool(0)).status).toBe(200);
    expect((await post(served, 'polygon')).status).toBe(202);
  });
});

describe('C3: providers that a client makes up', () => {
  const served = new ServedDatabase();

  it('get an entry and a sample up to 1,000 of them, and all have their bars taken', async () => {
    const bars = Array.from({ length: 1_200 }, (_, at) => bar({ provider: `made-up-${at}` }));
    for (let times = 0; times < 2; times += 1) {
      const { status, json } = await served.service.post(write(bars, 'csv'), TYPES.csv, '?ack=durable');
      expect([status, json['accepted']]).toEqual([202, 1_200]);
    }
    expect(await entriesOf(served)).toHaveLength(1_000);
    expect((await scrape(served)).sum('pipeline_rate_scale_factor')).toBe(1_000);
    expect(served.service.output().match(/1000 providers have sent bars/g)).toHaveLength(1);
    // A rate can be set for another all the same.
    const put = await send(served, 'PUT', 'rate-control/providers/real', { refill_rate: 10, burst: 10 });
    expect(put.status).toBe(200);
    await tell(served, 'soft');
    await eventually('all are slowed', 10_000, async () =>
      (await entriesOf(served)).every(({ scale }) => scale === 0.5),
    );
    await eventually('it is a line', 10_000, () => served.service.output().includes('and 995 more may send'));
  });
});
