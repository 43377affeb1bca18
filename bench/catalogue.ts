import type { Effort, Measurement } from './measurement.js';
import { measureChoices } from './measurements/choices.measurement.js';
import { measureEndurance, measureMemory } from './measurements/endurance.measurement.js';
import { measureExport } from './measurements/export.measurement.js';
import { measureIngest } from './measurements/ingest.measurement.js';
import { measureLatency } from './measurements/latency.measurement.js';
import { measureMerge } from './measurements/merge.measurement.js';
import { measureOverload } from './measurements/overload.measurement.js';
import { measureReads } from './measurements/reads.measurement.js';
import { measureSeries } from './measurements/series.measurement.js';
import { measureSingle } from './measurements/single.measurement.js';

/** A benchmark that measures with a rig. */
export interface Measured {
  /** One line for those who choose. */
  readonly about: string;
  readonly measure: Measurement;
  /** How often each contestant has its turn. */
  readonly rounds: number;
  /** What the quick run does of it; absent when nothing. */
  readonly quick?: Effort;
}

/** A benchmark that is a program of its own beside this file; its exit code is the verdict. */
export interface Program {
  readonly about: string;
  readonly program: string;
}

/** Every benchmark by name, in the order in which they run. */
export const CATALOGUE: Readonly<Record<string, Measured | Program>> = {
  ingest: {
    about: 'New bars: acknowledged and committed, against VictoriaMetrics, InfluxDB and COPY',
    measure: measureIngest,
    rounds: 5,
    quick: { rounds: 3, scale: 0.5 },
  },
  merge: {
    about: 'Bars that are stored already, half of them changed, against bare staging and merge',
    measure: measureMerge,
    rounds: 5,
    quick: { rounds: 3, scale: 0.5 },
  },
  single: {
    about: 'One bar a request, against a bare Fastify handler',
    measure: measureSingle,
    rounds: 5,
    quick: { rounds: 2, scale: 0.2 },
  },
  export: {
    about: 'CSV export of a million bars, against psql \\copy',
    measure: measureExport,
    rounds: 5,
    quick: { rounds: 2, scale: 0.2 },
  },
  reads: {
    about: 'Newest bars of 1,000 symbols and a year of daily bars, against the bare SQL',
    measure: measureReads,
    rounds: 5,
    quick: { rounds: 2, scale: 0.4 },
  },
  latency: {
    about: 'Time to the 202 by load offered, 0.1 to 3 times capacity',
    measure: measureLatency,
    rounds: 1,
  },
  overload: {
    about: 'What is committed, refused and held in memory while ten times capacity is offered',
    measure: measureOverload,
    rounds: 3,
  },
  memory: { about: 'Memory over four million bars', measure: measureMemory, rounds: 1 },
  endurance: {
    about: 'Memory, and what a bar costs, over twenty million bars',
    measure: measureEndurance,
    rounds: 1,
  },
  series: {
    about: 'What a bar costs when a million series exist, against a thousand',
    measure: measureSeries,
    rounds: 3,
  },
  choices: {
    about: 'What the design rests on: routing, syncs, gzip, threads',
    measure: measureChoices,
    rounds: 8,
  },
  feedback: { about: "From a change of the queue's level to the applied rate", program: 'feedback.bench.js' },
  spool: { about: 'What the spool costs, and from a decoded batch to its 202', program: 'spool.bench.js' },
  decode: {
    about: 'How fast bodies are decoded: scanned, and with every row parsed',
    program: 'decode.bench.js',
  },
};
