import { afterEach, describe, expect, it } from '@jest/globals';

import { HttpFeedbackBroadcaster, type HttpFeedbackBroadcasterOptions } from '../../src/coordinator/index.js';
import { until } from './entries.js';
import { coreErrors, event, remembered } from './feedback.events.js';
import { FeedbackReceiver, type Answer } from './feedback.receiver.js';

const endings: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

async function receiving(answer?: Answer): Promise<FeedbackReceiver> {
  const receiver = await new FeedbackReceiver(answer).open();
  endings.push(() => receiver.close());
  return receiver;
}

/** A broadcaster with short times. */
function broadcasting(endpoint: string, options: Partial<HttpFeedbackBroadcasterOptions> = {}) {
  const { log, warnings, news } = remembered();
  const settings = { timeoutMs: 5000, backoffMs: 20, maxBackoffMs: 60, log, ...options };
  const broadcaster = new HttpFeedbackBroadcaster({ endpoint, ...settings });
  endings.push(() => broadcaster.stop());
  return { broadcaster, warnings, news };
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const status =
  (code: number): Answer =>
  (response) =>
    response.writeHead(code).end();

describe('what is posted', () => {
  it('is the whole event with reason and utilization, in a form that Core reads', async () => {
    const receiver = await receiving();
    const { broadcaster } = broadcasting(receiver.url);
    const sent = event(800, { level: 'hard', reason: 'high_watermark' });
    await broadcaster.publish(sent);
    await until(() => receiver.requests.length === 1);
    const [request] = receiver.requests;
    expect(request?.event).toEqual({
      coordinator_id: 'bars-1',
      queue_size: 800,
      capacity: 1000,
      level: 'hard',
      source: 'store',
      ts: sent.ts,
      reason: 'high_watermark',
      utilization: 0.8,
    });
    expect(coreErrors(request?.event)).toEqual([]);
    expect(request?.headers['content-type']).toBe('application/json');
    expect(broadcaster.health()).toMatchObject({ state: 'healthy' });
  });

  it('waits as the newest of its coordinator while another is in flight', async () => {
    let release: () => unknown = () => undefined;
    const receiver = await receiving((response, call) => {
      const answer = () => response.writeHead(204).end();
      if (call === 0) release = answer;
      else answer();
    });
    const { broadcaster } = broadcasting(receiver.url, { timeoutMs: 5000 });
    await broadcaster.publish(event(1));
    await until(() => receiver.requests.length === 1);
    for (const size of [2, 3, 4]) await broadcaster.publish(event(size));
    for (const size of [12, 13]) await broadcaster.publish(event(size, { coordinator_id: 'bars-2' }));
    await pause(50);
    expect(receiver.sizes).toEqual([1]);
    release();
    await until(() => receiver.requests.length === 3);
    await pause(50);
    expect(receiver.sizes).toEqual([1, 4, 13]);
  });
});

describe('an event whose try fails', () => {
  it('is not sent again when a newer one of its coordinator was published meanwhile', async () => {
    let fail: () => unknown = () => undefined;
    const receiver = await receiving((response, call) => {
      if (call === 0) fail = () => response.writeHead(503).end();
      else response.writeHead(204).end();
    });
    const { broadcaster } = broadcasting(receiver.url);
    await broadcaster.publish(event(900, { level: 'hard' }));
    await until(() => receiver.requests.length === 1);
    await broadcaster.publish(event(10, { level: 'ok', reason: 'queue_recovered' }));
    fail();
    await until(() => receiver.requests.length === 2);
    // What comes after is a sign that nothing else came before it.
    await broadcaster.publish(event(11, { level: 'ok' }));
    await until(() => receiver.sizes.at(-1) === 11);
    expect(receiver.levels).toEqual(['hard', 'ok', 'ok']);
  });
});

describe('the endpoint', () => {
  it('must be http or https, and is not told when it is not', () => {
    for (const endpoint of ['ftp://user:secret@host/', 'file:///secret', 'secret', '', 'javascript:secret']) {
      expect(() => new HttpFeedbackBroadcaster({ endpoint })).toThrow(TypeError);
      expect(() => new HttpFeedbackBroadcaster({ endpoint })).not.toThrow(/secret/);
    }
  });

  it('gets the credentials of its URL, which nobody else does', async () => {
    const receiver = await receiving(status(500));
    const { broadcaster, warnings } = broadcasting(receiver.url.replace('//', '//user:p%40ss%zz@'));
    await broadcaster.publish(event(1));
    await until(() => warnings.length === 1);
    const expected = `Basic ${Buffer.from('user:p@ss%zz').toString('base64')}`;
    expect(receiver.requests[0]?.headers.authorization).toBe(expected);
    expect(JSON.stringify([warnings, broadcaster.health()])).not.toMatch(/user|ss%zz|secret-key/);
  });
});

describe('a token', () => {
  it('is sent as a bearer token to the endpoint, is told nobody else, and is asked for when it is wrong', async () => {
    const elsewhere = await receiving();
    const receiver = await receiving((response, call) =>
      response.writeHead(call === 0 ? 307 : 401, { location: elsewhere.url }).end(),
    );
    const token = 'token-of-the-other-store';
    const { broadcaster, warnings } = broadcasting(receiver.url, { token });
    await broadcaster.publish(event(1));
    await until(() => warnings.length === 1);
    expect(receiver.requests.map(({ headers }) => headers.authorization)).toEqual(
      Array(2).fill(`Bearer ${token}`),
    );
    expect(elsewhere.requests).toEqual([]);
    expect(warnings).toEqual([expect.stringContaining('answered 401: it wants another token')]);
    expect(JSON.stringify([warnings, broadcaster.health()])).not.toContain(token);
  });

  it('cannot be sent beside a user in the URL', () => {
    const options = { endpoint: 'http://user:secret@host/', token: 'secret' };
    expect(() => new HttpFeedbackBroadcaster(options)).toThrow(TypeError);
    expect(() => new HttpFeedbackBroadcaster(options)).not.toThrow(/secret/);
  });
});

describe('an answer', () => {
  it('that redirects is not followed, and counts as a failure', async () => {
    const elsewhere = await receiving();
    for (const code of [301, 302, 303, 307, 308]) {
      const receiver = await receiving((response) =>
        response.writeHead(code, { location: elsewhere.url }).end(),
      );
      const { broadcaster } = broadcasting(receiver.url);
      await broadcaster.publish(event(1));
      await until(() => broadcaster.health().state === 'degraded');
      expect(broadcaster.health().details['message']).toContain(String(code));
    }
    expect(elsewhere.requests).toEqual([]);
  });

  it('that is huge is read to a bound and no further', async () => {
    let written = 0;
    let cut = false;
    const receiver = await receiving((response) => {
      response.writeHead(200).on('close', () => (cut = true));
      const write = () => {
        while (!cut && written < 2 ** 30) {
          written += 65_536;
          if (!response.write(Buffer.alloc(65_536))) {
            response.once('drain', write);
            return;
          }
        }
      };
      write();
    });
    const { broadcaster } = broadcasting(receiver.url, { timeoutMs: 20_000 });
    await broadcaster.publish(event(1));
    await until(() => cut);
    // Beside the 64 KiB there is what the sockets and fetch had buffered.
    expect(written).toBeLessThan(16 * 2 ** 20);
    expect(broadcaster.health().state).toBe('healthy');
    expect(receiver.requests).toHaveLength(1);
  });

  it('that never ends holds up the next event for the time of one try, and was a delivery', async () => {
    const receiver = await receiving((response) => response.writeHead(200).write('slow'));
    const { broadcaster } = broadcasting(receiver.url, { timeoutMs: 1_500 });
    await broadcaster.publish(event(1));
    await broadcaster.publish(event(2));
    await until(() => receiver.requests.length === 2);
    await pause(50);
    expect(receiver.sizes).toEqual([1, 2]);
    expect(broadcaster.health().state).toBe('healthy');
  });

  it('of 503 is shown as soon as three tries in a row had it', async () => {
    const states: string[] = [];
    const receiver = await receiving((response, call) => {
      states.push(broadcaster.health().state);
      response.writeHead(call < 4 ? 503 : 200).end();
    });
    const { broadcaster } = broadcasting(receiver.url, { maxTries: 3 });
    await broadcaster.publish(event(1));
    await until(() => states.length === 5);
    expect(states).toEqual(['healthy', 'healthy', 'healthy', 'degraded', 'degraded']);
    await until(() => broadcaster.health().state === 'healthy');
  });

  it.each([400, 401, 404, 410, 422])('of %d is not asked for again at once, and shown', async (code) => {
    const receiver = await receiving(status(code));
    const { broadcaster, warnings } = broadcasting(receiver.url);
    await broadcaster.publish(event(1));
    await until(() => broadcaster.health().state === 'degraded');
    await pause(150);
    expect(receiver.requests).toHaveLength(1);
    expect(warnings).toHaveLength(1);
    receiver.answer = status(200);
    await broadcaster.publish(event(2));
    await until(() => broadcaster.health().state === 'healthy');
  });

  it.each([401, 404])('of %d is followed by the current level, once, as soon as it is over', async (code) => {
    const receiver = await receiving(status(code));
    const { broadcaster, warnings, news } = broadcasting(receiver.url, { heartbeatMs: 100 });
    await broadcaster.publish(event(900, { level: 'hard' }));
    await broadcaster.publish(event(10, { level: 'ok', reason: 'queue_recovered' }));
    const start = performance.now();
    await pause(350);
    // The two that were published, and one each heartbeat.
    expect(receiver.requests.length).toBeLessThanOrEqual(2 + (performance.now() - start) / 100 + 1);
    receiver.answer = status(200);
    await until(() => broadcaster.health().state === 'healthy');
    const answered = receiver.requests.length;
    await pause(300);
    expect(receiver.levels).toEqual(['hard', ...Array<string>(answered - 1).fill('ok')]);
    expect([warnings.length, news.length]).toEqual([1, 1]);
  });

  it.each([408, 429, 500, 503])('of %d is tried again', async (code) => {
    const receiver = await receiving((response, call) => response.writeHead(call < 2 ? code : 200).end());
    const { broadcaster, warnings } = broadcasting(receiver.url);
    await broadcaster.publish(event(1));
    await until(() => receiver.requests.length === 3);
    await pause(150);
    expect(receiver.sizes).toEqual([1, 1, 1]);
    expect(warnings).toEqual([]);
  });
});

describe('a receiver that hangs', () => {
  it('is given up after the timeout and tried again after a wait that grows', async () => {
    const receiver = await receiving((response, call) =>
      call < 2 ? undefined : response.writeHead(200).end(),
    );
    const { broadcaster } = broadcasting(receiver.url, {
      timeoutMs: 600,
      backoffMs: 400,
      maxBackoffMs: 4000,
    });
    const start = performance.now();
    await broadcaster.publish(event(1));
    expect(performance.now() - start).toBeLessThan(600);
    await until(() => receiver.requests.length === 3);
    const [first = 0, second = 0, third = 0] = receiver.requests.map(({ at }) => at);
    // 1,000 and 1,400; counted at the receiver, whose clock starts a little after the try does.
    expect(second - first).toBeGreaterThanOrEqual(700);
    expect(third - second).toBeGreaterThanOrEqual(1_050);
    expect(broadcaster.health().state).toBe('healthy');
  });

  it('does not keep stop from ending', async () => {
    const receiver = await receiving(() => undefined);
    const { broadcaster } = broadcasting(receiver.url, { timeoutMs: 60_000 });
    await broadcaster.publish(event(1));
    await until(() => receiver.requests.length === 1);
    const start = performance.now();
    await Promise.all([broadcaster.stop(), broadcaster.stop()]);
    expect(performance.now() - start).toBeLessThan(10_000);
    await broadcaster.publish(event(2));
    await pause(50);
    expect(receiver.sizes).toEqual([1]);
  });
});

describe('a receiver that is away', () => {
  it('gets the current level once it is back, and is spoken of once', async () => {
    const receiver = await receiving();
    await receiver.close();
    const { broadcaster, warnings, news } = broadcasting(receiver.url);
    await broadcaster.publish(event(900, { level: 'hard' }));
    await until(() => broadcaster.health().state === 'degraded');
    await broadcaster.publish(event(60, { level: 'soft' }));
    await pause(300);
    await broadcaster.publish(event(10, { level: 'ok', reason: 'queue_recovered' }));
    await pause(300);
    expect(broadcaster.health().details).toMatchObject({ message: expect.stringContaining('ECONNREFUSED') });
    await receiver.open();
    await until(() => receiver.requests.length === 1);
    await pause(100);
    expect(receiver.levels).toEqual(['ok']);
    expect(broadcaster.health()).toMatchObject({ state: 'healthy' });
    expect(warnings).toHaveLength(1);
    expect(news).toHaveLength(1);
  });

  it('is spoken of again when it goes away again', async () => {
    const receiver = await receiving();
    const { broadcaster, warnings } = broadcasting(receiver.url);
    for (let outage = 1; outage <= 2; outage++) {
      receiver.answer = status(503);
      await broadcaster.publish(event(outage));
      await until(() => warnings.length === outage);
      receiver.answer = status(200);
      await until(() => broadcaster.health().state === 'healthy');
    }
  });
});
