import type { Fault, Need } from './faults/index.js';
import type { Part } from './faults/fault.js';
import { PgBouncer } from './pgbouncer.js';
import { harmLibraryObstacle } from './preload/harm-library.build.js';
import { Random } from './random.js';
import { SmallDisk } from './small.disk.js';
import { CAPACITY, type StageOptions } from './stage.js';

/** Share of the rounds with two faults at once. */
const PAIRS = 0.3;
/** So small that an outage leaves more than memory holds, and the rest is read back from the disk. */
const SMALL_CAPACITY = '20000';
const RETAIN_SECONDS = '3600';
const SPOOL_BYTES = String(8 * 1024 ** 3);

/** What is asked for; what is not is left to the seed. */
export interface PlanOptions {
  readonly seed: number;
  /** Those that may be inflicted. */
  readonly faults: readonly Fault[];
  /** True: the faults were named, and each must be possible. */
  readonly isNamed: boolean;
  readonly services?: number | undefined;
  readonly pooler?: boolean | undefined;
}

/** A run: the stage that it takes place on, and what can be inflicted there. */
export interface Plan {
  readonly stage: StageOptions;
  readonly faults: readonly Fault[];
  /** For people. */
  readonly summary: string;
  /** Each fault once, then what the seed says, and sometimes two at once, of which neither is in the other's way. */
  nextRound(): readonly Fault[];
}

/** Why a stage cannot have something here; undefined when it can. */
export function obstacleOf(need: Need): string | undefined {
  switch (need) {
    case 'small-disks':
      return SmallDisk.obstacle();
    case 'preload':
      return harmLibraryObstacle();
    case 'whole-disk':
      return undefined;
  }
}

/**
 * Draws up a run.
 * @throws when named faults cannot be inflicted on one stage here
 */
export function planOf({ seed, faults, isNamed, services, pooler }: PlanOptions): Plan {
  const random = new Random(seed);
  const draw = {
    disks: random.next(),
    pooler: random.next(),
    services: random.next(),
    capacity: random.next(),
  };
  const needs = (need: Need): boolean => faults.some((fault) => fault.needs?.includes(need));
  const canPreload = obstacleOf('preload') === undefined;
  const canPool = PgBouncer.obstacle() === undefined;
  if (pooler && !canPool) throw new Error(PgBouncer.obstacle());
  const wantsDisks = needs('small-disks') && (!needs('whole-disk') || draw.disks < 0.4);
  const smallDisks = wantsDisks && obstacleOf('small-disks') === undefined;
  const has: Record<Need, boolean> = {
    'small-disks': smallDisks,
    'whole-disk': !smallDisks,
    preload: canPreload,
  };
  const possible = faults.filter((fault) => (fault.needs ?? []).every((need) => has[need]));
  const [impossible] = faults.filter((fault) => !possible.includes(fault));
  if (isNamed && impossible) {
    const why = (impossible.needs ?? []).map(obstacleOf).find((obstacle) => obstacle !== undefined);
    throw new Error(`${impossible.name} is not possible here: ${why ?? 'another fault needs the opposite'}`);
  }
  const stage = {
    random,
    smallDisks,
    services: services ?? (draw.services < 0.5 ? 1 : 2),
    pooler: pooler ?? (canPool && draw.pooler < 0.4),
    preload: canPreload,
    env: {
      MDS_SPOOL_RETAIN_SEC: RETAIN_SECONDS,
      // What a disk holds that can be full is for the disk to say.
      ...(smallDisks ? {} : { MDS_SPOOL_MAX_BYTES: SPOOL_BYTES }),
      ...(draw.capacity < 0.5 ? { [CAPACITY]: SMALL_CAPACITY } : {}),
    },
  };
  const order = isNamed ? possible : shuffled(possible, random);
  let round = 0;
  return {
    stage,
    faults: possible,
    summary: summaryOf(stage),
    nextRound: () => {
      const first = order[round++] ?? random.pick(possible);
      const others = possible.filter((fault) => areCompatible(first, fault));
      const isPair = random.next() < PAIRS && others.length > 0;
      return isPair ? [first, random.pick(others)] : [first];
    },
  };
}

/** A short run has other faults with each seed. */
function shuffled(faults: readonly Fault[], random: Random): Fault[] {
  const left = [...faults];
  return faults.flatMap(() => left.splice(random.between(0, left.length - 1), 1));
}

function areCompatible(one: Fault, other: Fault): boolean {
  const taken: ReadonlySet<Part> = new Set(one.takes);
  return one !== other && !other.takes.some((part) => taken.has(part));
}

function summaryOf({ services, smallDisks, pooler, preload, env }: Omit<StageOptions, 'random'>): string {
  const capacity = env?.[CAPACITY];
  return [
    services === 1 ? '1 service' : `${services} services`,
    ...(smallDisks ? ['small disks'] : []),
    ...(pooler ? ['PgBouncer'] : []),
    ...(preload ? [] : ['no preloaded library']),
    ...(capacity === undefined ? [] : [`capacity ${capacity}`]),
  ].join(', ');
}
