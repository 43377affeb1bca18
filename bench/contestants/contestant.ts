import type { ChildProcess } from 'node:child_process';

import type { PostTarget } from '../load/post.job.js';

/** Another system that takes bars over HTTP. */
export interface Contestant {
  readonly target: PostTarget;
  readonly child: ChildProcess;
}

/** A contestant that was installed. */
export interface Installed extends Contestant {
  /** Of its Debian package, if it is from one. */
  readonly version: string | undefined;
}

/** A contestant that is not on this machine. */
export interface Absent {
  /** What to install. */
  readonly absent: string;
}
