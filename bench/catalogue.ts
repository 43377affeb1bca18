import type { Effort, Measurement } from './measurement.js';
import { measureExport } from './measurements/export.measurement.js';
import { measureIngest } from './measurements/ingest.measurement.js';
import { measureMerge } from './measurements/merge.measurement.js';
import { measureReads } from './measurements/reads.measurement.js';
import { measureSingle } from './measurements/single.measurement.js';

/** A benchmark that can be asked for by name. */
export interface Entry {
  /** One line for those who choose. */
  readonly about: string;
  /** Measures with a rig; `quick` tells how much of it the quick run does, if any. */
  readonly measure?: Measurement;
  readonly rounds?: number;
  readonly quick?: Effort;
  /** Or: a program of its own beside this file, whose exit code is the verdict. */
  readonly program?: string;
}

/** Every benchmark, in the order in which they run. */
export const CATALOGUE: Readonly<Record<string, Entry>> = {
  ingest: {
    about: 'new bars: acknowledged and committed, against VictoriaMetrics, InfluxDB and COPY',
    measure: measureIngest,
    quick: { rounds: 3, scale: 0.4 },
  },
  merge: {
    about: 'bars that are stored already, half of them changed, against bare staging and merge',
    measure: measureMerge,
    quick: { rounds: 2, scale: 0.4 },
  },
  single: {
    about: 'one bar a request, against a bare Fastify handler',
    measure: measureSingle,
    quick: { rounds: 2, scale: 0.3 },
  },
  export: {
    about: 'CSV export of a million bars, against psql \\copy',
    measure: measureExport,
    quick: { rounds: 2, scale: 0.3 },
  },
  reads: {
    about: 'latest of 1,000 symbols and a year of daily bars, against the bare SQL',
    measure: measureReads,
    quick: { rounds: 2, scale: 0.4 },
  },
  feedback: { about: "from a change of the queue's level to the applied rate", program: 'feedback.bench.js' },
  spool: { about: 'what the spool costs, and from a decoded batch to its 202', program: 'spool.bench.js' },
};
