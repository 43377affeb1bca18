import { Logger } from '@nestjs/common';

import type { StopRequest } from './config/stop.request.js';
import { SECOND } from './config/units.js';
import { stopAtOnce } from './stop.early.js';

/**
 * Lets SIGTERM and SIGINT stop the service in order. A second one, or the time-out, ends the process at once with 1.
 * SIGHUP, which would end the process otherwise, does nothing.
 */
export function obeySignals(stop: StopRequest): void {
  const logger = new Logger('main');
  let since: number | undefined;
  const onStop = (signal: string): void => {
    // Ctrl-C reaches the service twice when npm started it: from the terminal, and from npm.
    if (since !== undefined && performance.now() - since < SECOND) return;
    if (since !== undefined) process.exit(1);
    since = performance.now();
    logger.log(`received ${signal}`);
    setTimeout(() => {
      logger.error(`the service did not stop within ${stop.timeoutMs} ms and is ended`);
      process.exit(1);
    }, stop.timeoutMs);
    stop.make();
  };
  for (const signal of ['SIGTERM', 'SIGINT']) {
    process.on(signal, onStop);
    process.off(signal, stopAtOnce);
  }
  process.on('SIGHUP', () => logger.log('received SIGHUP, which changes nothing'));
}
