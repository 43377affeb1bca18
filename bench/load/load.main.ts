/** The load process: does one job after another and ends with its parent. */
import { JOBS, type JobReply, type JobRequest } from './jobs.js';

process.on('disconnect', () => process.exit());
process.on('message', ({ name, options }: JobRequest) => {
  const job = JOBS[name] as (options: unknown) => Promise<unknown>;
  job(options).then(
    (result) => reply({ result }),
    (error: unknown) =>
      reply({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
  );
});

function reply(message: JobReply): void {
  process.send?.(message);
}
