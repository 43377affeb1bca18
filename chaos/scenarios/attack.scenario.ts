import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { constants, setPriority } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import type { AttackCount, AttackTarget } from '../attacks/attack.target.js';
import { Bystander, type Seen } from '../attacks/bystander.js';
import { FIRST_TS } from '../bar.keys.js';
import { Random } from '../random.js';
import { Stage } from '../stage.js';
import type { Scenario, ScenarioOptions } from './scenario.js';

const MIB = 1024 ** 2;
const MOST_MEMORY_MIB = 1024;
const PROBE_MS = 1_000;
const RECOVERY_MS = 10_000;
const CALM_MS = 10_000;
const LOOK_MS = 250;
/** An attacker that gets less far had too little time on this machine: nothing was tried. */
const LEAST_CONNECTIONS = 1_500;
const ROWS = 500;
/** A machine has its moods: this much slower than before is still normal. */
const NORMAL_FACTOR = 3;
const TOKENS = {
  producer: 'attack-producer-token-01',
  attacker: 'attack-attacker-token-01',
  read: 'attack-read-token-000001',
  feedback: 'attack-feedback-token-01',
} as const;
const ENV = {
  INGEST_TOKEN: `${TOKENS.producer},${TOKENS.attacker}`,
  READ_TOKEN: TOKENS.read,
  FEEDBACK_TOKEN: TOKENS.feedback,
};

/** All known attacks at once. */
export const ATTACK: Scenario = {
  name: 'attack',
  what: 'every known attack at once for --seconds: probes and another producer are served, memory stays below 1 GiB',
  run: (options) =>
    Stage.with({ random: new Random(options.seed), env: ENV }, (stage) => attack(stage, options)),
};

async function attack(stage: Stage, { seconds, log }: ScenarioOptions): Promise<string[]> {
  const broken: string[] = [];
  await stage.start();
  const port = Number(new URL(stage.service.url).port);
  const producer = producerOn(port);
  const probe = new Bystander({ port, method: 'GET', path: '/livez', pauseMs: 50, keepAlive: false });
  const bystanders = [producer, probe];
  for (const one of bystanders) one.start();
  try {
    const watch = async (name: string, ms: number) => {
      for (const one of bystanders) one.take();
      const memory = await mostMemory(stage, ms);
      const seen = { producer: producer.take(), probe: probe.take(), memory };
      log(`${name}: bars ${textOf(seen.producer)}; /livez ${textOf(seen.probe)}; at most ${memory} MiB`);
      return seen;
    };
    const before = await watch('before', CALM_MS);
    const attacker = startAttacker({ port, tokens: TOKENS });
    let done: AttackCount = { connections: 0, answers: 0 };
    attacker.on('message', (count: AttackCount) => (done = count));
    const during = await watch('attacked', seconds * 1_000).finally(() => end(attacker));
    log(`the attacker made ${done.connections} connections and got ${done.answers} answers`);
    await watch('just after', RECOVERY_MS);
    const after = await watch('10 s later', CALM_MS);

    if (done.connections < LEAST_CONNECTIONS)
      broken.push(`the attacker made only ${done.connections} connections: try it on an idle machine`);
    if (last(during.probe) > PROBE_MS)
      broken.push(`/livez took ${Math.round(last(during.probe))} ms while the service was attacked`);
    for (const [name, seen] of Object.entries({ before, during, after })) {
      if (!isAlways(seen.probe, 200)) broken.push(`/livez, ${name}: ${textOf(seen.probe)}`);
      if (!isAlways(seen.producer, 202)) broken.push(`bars, ${name}: ${textOf(seen.producer)}`);
    }
    if (during.memory > MOST_MEMORY_MIB) broken.push(`${during.memory} MiB were resident`);
    if (middle(after.producer) > NORMAL_FACTOR * middle(before.producer))
      broken.push('bars are still taken slowly 10 s after the last attack');
  } finally {
    for (const one of bystanders) await one.stop();
  }
  return broken;
}

/** Attackers are on other machines; here they get what time the service and its database leave. */
function startAttacker(target: AttackTarget): ChildProcess {
  const program = fileURLToPath(new URL('../attacks/attacker.js', import.meta.url));
  const attacker = fork(program, [JSON.stringify(target)]);
  if (attacker.pid !== undefined) setPriority(attacker.pid, constants.priority.PRIORITY_LOW);
  return attacker;
}

async function end(attacker: ChildProcess): Promise<void> {
  const gone = once(attacker, 'close');
  attacker.kill('SIGKILL');
  await gone;
}

/** A producer with a token of its own, whose bars are new ones each time. */
function producerOn(port: number): Bystander {
  let ts = FIRST_TS;
  const line = () =>
    JSON.stringify({
      ...{ provider: 'PRODUCER', symbol: 'A', interval: '1s', ts: ts++ },
      ...{ open: 1, high: 2, low: 0.5, close: 1.5, volume: 10 },
    });
  return new Bystander({
    ...{ port, method: 'POST', path: '/v1/bars', pauseMs: 50, keepAlive: true },
    headers: { authorization: `Bearer ${TOKENS.producer}`, 'content-type': 'application/x-ndjson' },
    body: () => Array.from({ length: ROWS }, line).join('\n'),
  });
}

/** The most memory of the service during some time, MiB. */
async function mostMemory(stage: Stage, ms: number): Promise<number> {
  let most = 0;
  const end = performance.now() + ms;
  while (performance.now() < end) {
    most = Math.max(most, await stage.service.memory());
    await sleep(LOOK_MS);
  }
  return Math.round(most / MIB);
}

const last = ({ times }: Seen): number => times.at(-1) ?? Infinity;
const middle = ({ times }: Seen): number => times[times.length >> 1] ?? Infinity;
const isAlways = ({ statuses }: Seen, status: number): boolean => statuses.size === 1 && statuses.has(status);

function textOf(seen: Seen): string {
  const p99 = seen.times[Math.floor(seen.times.length * 0.99)] ?? Infinity;
  const statuses = [...seen.statuses].map(([status, times]) => `${status} x ${times}`).join(', ');
  return `${statuses}, p50 ${Math.round(middle(seen))}, p99 ${Math.round(p99)}, most ${Math.round(last(seen))} ms`;
}
