import { ask } from './ask.job.js';
import { copy } from './copy.job.js';
import { download } from './download.job.js';
import { offer } from './offer.job.js';
import { post } from './post.job.js';

/** Everything that the load process can be asked to do, by name. */
export const JOBS = { ask, copy, download, offer, post };

type Jobs = typeof JOBS;
export type JobName = keyof Jobs;
export type JobOptions<Name extends JobName> = Parameters<Jobs[Name]>[0];
export type JobResult<Name extends JobName> = Awaited<ReturnType<Jobs[Name]>>;

/** From the load process, one for each job. */
export type JobReply = { readonly result: unknown } | { readonly error: string };

/** To the load process. */
export interface JobRequest {
  readonly name: JobName;
  readonly options: unknown;
}
