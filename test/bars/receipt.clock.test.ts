import { beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { ReceiptClock } from '../../src/bars/receipt.clock.js';

const SECOND = 1e6;
const DAY = 86_400 * SECOND;
const NOW = Date.UTC(2026, 10, 29) * 1_000;
const STEPS = [30 * SECOND, -30 * SECOND, 2 * DAY, -2 * DAY];

/** The world of a service: what its machine's clock shows, and the timer, in microseconds. */
class Machine {
  timer = 12_345_678;
  /** The machine's clock less PostgreSQL's. */
  ahead = 0;
  isFrozen = false;
  private frozenAt = 0;

  /** The clock of PostgreSQL's machine. */
  get server(): number {
    return NOW + this.timer;
  }

  clock(newest?: () => number): ReceiptClock {
    return new ReceiptClock({
      ...(newest && { newest }),
      machine: () => (this.isFrozen ? this.frozenAt : this.server + this.ahead),
      monotonic: () => this.timer,
    });
  }

  freeze(): void {
    this.frozenAt = this.server + this.ahead;
    this.isFrozen = true;
  }

  pass(seconds: number): void {
    this.timer += seconds * SECOND;
  }
}

let machine: Machine;
beforeEach(() => {
  machine = new Machine();
});

/** Lets a clock read PostgreSQL's, without a round trip. */
const read = (clock: ReceiptClock) => clock.follow({ time: machine.server, at: machine.timer });

describe('the clock of receipt', () => {
  it('The clock of receipt never gives one time to two batches', () => {
    const clock = machine.clock();
    machine.freeze();
    const times = Array.from({ length: 5 }, () => clock.next());
    expect(times).toEqual([0, 1, 2, 3, 4].map((later) => (times[0] ?? 0) + later));
  });

  it("The clock of receipt shows the machine's time until PostgreSQL's clock was read, and says that it was not", () => {
    const clock = machine.clock();
    machine.pass(5);
    expect(clock.next()).toBe(machine.server);
    expect(clock.compare()).toBeUndefined();
  });

  it("The clock of receipt shows PostgreSQL's time, as it was read in the middle of the round trip", () => {
    machine.ahead = -30 * SECOND;
    const clock = machine.clock();
    const asked = machine.timer;
    machine.pass(0.2);
    clock.follow({ time: machine.server - 0.1 * SECOND, at: asked + 0.1 * SECOND });
    expect(clock.next()).toBe(machine.server);
    machine.pass(60);
    expect(clock.next()).toBe(machine.server);
  });

  it.each(STEPS)(
    "The clock of receipt does not follow a step of the machine's clock by %d microseconds",
    (step) => {
      for (const isRead of [false, true]) {
        machine = new Machine();
        const clock = machine.clock();
        if (isRead) read(clock);
        machine.ahead = step;
        machine.pass(1);
        expect(clock.next()).toBe(machine.server);
      }
    },
  );

  it.each(STEPS)(
    'Two services have the same clock of receipt with the machines %d microseconds apart',
    (apart) => {
      const here = machine.clock();
      machine.ahead = apart;
      const there = machine.clock();
      read(here);
      read(there);
      for (const clock of [here, there, there, here]) {
        machine.pass(1);
        expect(clock.next()).toBe(machine.server);
      }
    },
  );

  it('A clock of receipt that is behind is set at once: it would make corrections lose', () => {
    machine.ahead = -30 * SECOND;
    const clock = machine.clock();
    clock.next();
    expect(read(clock)).toBe(30 * SECOND);
    expect(clock.next()).toBe(machine.server);
  });

  it.each([30 * SECOND, 2 * DAY])(
    "A clock of receipt that is %d microseconds ahead runs at a tenth of its speed until PostgreSQL's has caught up",
    (ahead) => {
      machine.ahead = ahead;
      const clock = machine.clock();
      const before = clock.next();
      read(clock);
      expect(clock.compare()).toMatchObject({ receiptAheadSeconds: ahead / SECOND });
      machine.pass(10);
      expect(clock.next()).toBe(before + 1 * SECOND);
      // Another reading changes nothing.
      read(clock);
      machine.pass(10);
      expect(Math.abs(clock.next() - before - 2 * SECOND)).toBeLessThanOrEqual(1);
      expect(clock.compare()?.receiptAheadSeconds).toBeCloseTo(ahead / SECOND - 18, 4);
      machine.pass(Math.ceil(ahead / SECOND / 0.9) - 20);
      expect(clock.next()).toBe(machine.server);
      expect(clock.compare()).toMatchObject({ receiptAheadSeconds: 0 });
    },
  );

  it.each(STEPS)(
    'The clock of receipt goes on after the newest time when a restart finds the machine stepped by %d microseconds',
    (step) => {
      const before = machine.clock();
      read(before);
      const newest = before.next();
      machine.ahead = step;
      machine.pass(1);
      const clock = machine.clock(() => newest);
      let last = newest;
      for (let batch = 0; batch < 3; batch++) {
        const next = clock.next();
        expect(next).toBeGreaterThan(last);
        last = next;
        machine.pass(1);
      }
      read(clock);
      expect(clock.next()).toBeGreaterThan(last);
    },
  );

  it('The clock of receipt goes on after a newest time in the future and comes back to the right time', () => {
    const newest = machine.server + 30 * SECOND;
    const clock = machine.clock(() => newest);
    read(clock);
    expect(clock.compare()).toMatchObject({ receiptAheadSeconds: 30 });
    expect(clock.next()).toBe(newest + 1);
    machine.pass(40);
    expect(clock.next()).toBe(machine.server);
  });

  it('A clock of receipt that gave out no time yet is set back at once: nobody has seen what it showed', () => {
    machine.ahead = 2 * DAY;
    const clock = machine.clock();
    expect(read(clock)).toBe(-2 * DAY);
    expect(clock.next()).toBe(machine.server);
  });

  it('The clock of receipt goes on after a time that turns out later to have been given out', () => {
    let newest = 0;
    const clock = machine.clock(() => newest);
    read(clock);
    clock.next();
    newest = machine.server + 30 * SECOND;
    expect(clock.next()).toBe(newest + 1);
    machine.pass(40);
    expect(clock.next()).toBe(machine.server);
  });

  it("The clock of receipt reports how far the machine's clock is from PostgreSQL's, now and not when it was read", () => {
    machine.ahead = 30 * SECOND;
    const clock = machine.clock();
    clock.next();
    read(clock);
    machine.pass(7);
    expect(clock.compare()).toMatchObject({
      machineAheadSeconds: 30,
      receiptAheadSeconds: 30 - 6.3,
      ageSeconds: 7,
    });
    machine.ahead = -2 * DAY;
    expect(clock.compare()).toMatchObject({ machineAheadSeconds: -172_800 });
  });

  it('The clock of receipt ascends strictly whatever the clocks do', () => {
    const step = fc.oneof(
      fc.record({
        kind: fc.constant('pass' as const),
        seconds: fc.double({ min: 0, max: 100, noNaN: true }),
      }),
      fc.record({ kind: fc.constant('machine' as const), by: fc.integer({ min: -2 * DAY, max: 2 * DAY }) }),
      fc.record({ kind: fc.constant('read' as const), wrongBy: fc.integer({ min: -2 * DAY, max: 2 * DAY }) }),
      fc.record({ kind: fc.constant('restart' as const) }),
      fc.record({ kind: fc.constant('next' as const) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        machine = new Machine();
        let last = 0;
        let clock = machine.clock(() => last);
        for (const one of steps) {
          if (one.kind === 'pass') machine.pass(one.seconds);
          else if (one.kind === 'machine') machine.ahead += one.by;
          else if (one.kind === 'read')
            clock.follow({ time: machine.server + one.wrongBy, at: machine.timer });
          else if (one.kind === 'restart') clock = machine.clock(() => last);
          const next = clock.next();
          expect(next).toBeGreaterThan(last);
          last = next;
        }
        // And once nothing is stepped any more it is right again.
        read(clock);
        machine.pass((60 * 4 * DAY) / SECOND);
        expect(clock.next()).toBe(Math.floor(machine.server));
      }),
    );
  });
});
