import { describe, expect, it } from '@jest/globals';
import { CircuitBreaker, type CircuitBreakerOptions, CircuitOpenError } from '../../src/coordinator/index.js';
import { settle } from './entries.js';

class Away extends Error {
  readonly code = 'ECONNREFUSED';
}

/** A breaker on a clock that only the test moves. */
function breakerAt(options: CircuitBreakerOptions = {}) {
  const clock = { ms: 0 };
  const breaker = new CircuitBreaker({
    failureThreshold: 3,
    halfOpenAfterMs: 1000,
    now: () => clock.ms,
    ...options,
  });
  const fail = (error: Error = new Away('away')) =>
    breaker.execute(() => Promise.reject(error)).catch(() => undefined);
  const succeed = () => breaker.execute(() => Promise.resolve('done'));
  return { clock, breaker, fail, succeed };
}

/** A call whose end the test decides. */
function pendingCall() {
  let resolve: (value: string) => void = () => undefined;
  let reject: (error: Error) => void = () => undefined;
  const promise = new Promise<string>((res, rej) => {
    resolve = res;
    reject = rej;
  });
  return { promise, resolve, reject };
}

describe('CircuitBreaker', () => {
  it('opens after the threshold of failures in a row, and a success in between starts the count anew', async () => {
    const { breaker, fail, succeed } = breakerAt();
    await fail();
    await fail();
    await succeed();
    await fail();
    await fail();
    expect(breaker.state).toBe('closed');
    await fail();
    expect(breaker.state).toBe('open');
  });

  it('does not count errors that prove the far side answers', async () => {
    const { breaker, fail } = breakerAt();
    await fail();
    await fail();
    await fail(Object.assign(new Error('bad row'), { code: '22003' }));
    await fail();
    await fail();
    expect(breaker.state).toBe('closed');
  });

  it('counts what the call says, when the call says what counts', async () => {
    const { breaker } = breakerAt();
    const bad = Object.assign(new Error('bad row'), { code: '22003' });
    const failing = (counts: boolean) =>
      breaker
        .execute(
          () => Promise.reject(bad),
          () => counts,
        )
        .catch(() => undefined);
    for (let i = 0; i < 9; i++) await failing(false);
    expect(breaker.state).toBe('closed');
    for (let i = 0; i < 3; i++) await failing(true);
    expect([breaker.state, breaker.cause]).toEqual(['open', bad]);
  });

  it('refuses while open, with the time to wait and the cause, and does not make the call', async () => {
    const { breaker, clock, fail } = breakerAt();
    const cause = new Away('the last straw');
    for (let i = 0; i < 3; i++) await fail(cause);
    clock.ms = 400;
    let called = false;
    const refused = breaker.execute(() => {
      called = true;
      return Promise.resolve();
    });
    await expect(refused).rejects.toMatchObject({ name: 'CircuitOpenError', retryAfterMs: 600, cause });
    expect(called).toBe(false);
    expect([breaker.allowed(), breaker.retryAfterMs]).toEqual([false, 600]);
    clock.ms = 1000;
    expect([breaker.allowed(), breaker.retryAfterMs, breaker.state]).toEqual([true, 0, 'open']);
  });

  it('lets exactly one of a hundred callers probe, and all of them once the probe succeeds', async () => {
    const { breaker, clock, fail, succeed } = breakerAt();
    for (let i = 0; i < 3; i++) await fail();
    clock.ms = 1000;
    const probe = pendingCall();
    let calls = 0;
    const outcomes = Array.from({ length: 100 }, () =>
      breaker.execute(() => {
        calls++;
        return probe.promise;
      }),
    );
    expect([calls, breaker.state, breaker.allowed()]).toEqual([1, 'half_open', false]);
    probe.resolve('done');
    const settled = await Promise.allSettled(outcomes);
    expect(settled.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const outcome of settled.slice(1)) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: expect.any(CircuitOpenError) as unknown });
    }
    expect(breaker.state).toBe('closed');
    expect(await Promise.all([succeed(), succeed()])).toEqual(['done', 'done']);
  });

  it('opens again for the whole time when the probe fails, and closes when it fails for another reason', async () => {
    const { breaker, clock, fail } = breakerAt();
    for (let i = 0; i < 3; i++) await fail();
    clock.ms = 1500;
    await fail();
    expect([breaker.state, breaker.retryAfterMs]).toEqual(['open', 1000]);
    clock.ms = 2500;
    await fail(Object.assign(new Error('bad row'), { code: '22003' }));
    expect(breaker.state).toBe('closed');
  });

  it('ignores the late outcome of a call that began before the circuit opened', async () => {
    const { breaker, clock, fail } = breakerAt();
    const [good, bad] = [pendingCall(), pendingCall()];
    const late = [
      breaker.execute(() => good.promise),
      breaker.execute(() => bad.promise).catch(() => undefined),
    ];
    for (let i = 0; i < 3; i++) await fail();
    good.resolve('done');
    await late[0];
    expect(breaker.state).toBe('open');
    clock.ms = 1000;
    const probe = pendingCall();
    const probing = breaker.execute(() => probe.promise);
    bad.reject(new Away('late'));
    await late[1];
    expect(breaker.state).toBe('half_open');
    probe.resolve('done');
    await probing;
    expect(breaker.state).toBe('closed');
  });

  it('does not stay half open when isFailure itself fails', async () => {
    const { breaker, clock, fail } = breakerAt({
      isFailure: () => {
        throw new Error('bug');
      },
    });
    for (let i = 0; i < 3; i++) await fail();
    clock.ms = 1000;
    await fail();
    expect(breaker.state).toBe('open');
  });

  it('tells listeners each change once and in order, whatever other listeners do', async () => {
    const errors: unknown[] = [];
    const { breaker, clock, fail, succeed } = breakerAt({ onListenerError: (error) => errors.push(error) });
    const seen: string[] = [];
    breaker.onStateChange(() => {
      throw new Error('no');
    });
    const subscription = breaker.onStateChange(({ previous, state, cause }) =>
      seen.push(`${previous} ${state} ${cause instanceof Away}`),
    );
    for (let i = 0; i < 3; i++) await fail();
    clock.ms = 1000;
    await fail();
    clock.ms = 2000;
    await succeed();
    await settle();
    subscription[Symbol.dispose]();
    for (let i = 0; i < 3; i++) await fail();
    await settle();
    expect(seen).toEqual([
      'closed open true',
      'open half_open true',
      'half_open open true',
      'open half_open true',
      'half_open closed false',
    ]);
    expect(errors).toHaveLength(6);
  });
});

describe('whenAllowed', () => {
  it('resolves at once when closed, and at the time of the probe when open', async () => {
    const breaker = new CircuitBreaker({ failureThreshold: 1, halfOpenAfterMs: 50 });
    await breaker.whenAllowed();
    await breaker.execute(() => Promise.reject(new Away('away'))).catch(() => undefined);
    const openedAt = performance.now();
    await Promise.all([breaker.whenAllowed(), breaker.whenAllowed()]);
    expect(performance.now() - openedAt).toBeGreaterThanOrEqual(45);
    expect(breaker.allowed()).toBe(true);
  });

  it('waits for the outcome of a probe under way', async () => {
    const breaker = new CircuitBreaker({ failureThreshold: 1, halfOpenAfterMs: 0 });
    await breaker.execute(() => Promise.reject(new Away('away'))).catch(() => undefined);
    const probe = pendingCall();
    const probing = breaker.execute(() => probe.promise);
    let turn = false;
    const waiting = breaker.whenAllowed().then(() => (turn = true));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(turn).toBe(false);
    probe.resolve('done');
    await Promise.all([probing, waiting]);
    expect(breaker.state).toBe('closed');
  });

  it('rejects with the reason of an abort', async () => {
    const breaker = new CircuitBreaker({ failureThreshold: 1 });
    await breaker.execute(() => Promise.reject(new Away('away'))).catch(() => undefined);
    const abort = new AbortController();
    const waiting = breaker.whenAllowed(abort.signal);
    const reason = new Error('stopping');
    abort.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    await expect(breaker.whenAllowed(abort.signal)).rejects.toBe(reason);
  });
});
