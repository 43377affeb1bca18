import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

import { endProcess } from '../process/end.process.js';
import type { JobName, JobOptions, JobReply, JobRequest, JobResult } from './jobs.js';

const MAIN = fileURLToPath(new URL('./load.main.js', import.meta.url));

/** A process of its own that makes the load, the same for every contestant. */
export class LoadProcess {
  private readonly child: ChildProcess = fork(MAIN, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });

  /** Does a job; its times are taken in the process. */
  async run<Name extends JobName>(name: Name, options: JobOptions<Name>): Promise<JobResult<Name>> {
    const ended = new AbortController();
    const gone = once(this.child, 'exit', { signal: ended.signal }).then(() => {
      throw new Error(`the load process ended while it did ${name}`);
    });
    gone.catch(() => undefined);
    const answered = once(this.child, 'message', { signal: ended.signal });
    answered.catch(() => undefined);
    this.child.send({ name, options } satisfies JobRequest);
    try {
      const [reply] = (await Promise.race([answered, gone])) as [JobReply];
      if ('error' in reply) throw new Error(`${name}: ${reply.error}`);
      return reply.result as JobResult<Name>;
    } finally {
      ended.abort();
    }
  }

  async stop(): Promise<void> {
    await endProcess(this.child);
  }
}
