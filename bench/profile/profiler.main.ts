/**
 * Loaded into the service before its own code by `--profile`: from SIGUSR2 on it samples the CPU, and writes the
 * profile when the service ends. Starting later leaves the loading of modules out.
 */
import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector';

const SAMPLE_EVERY_US = 500;

const path = process.env['BENCH_PROFILE'];
process.once('SIGUSR2', () => {
  const session = new Session();
  session.connect();
  session.post('Profiler.enable');
  session.post('Profiler.setSamplingInterval', { interval: SAMPLE_EVERY_US });
  session.post('Profiler.start');
  // The service ends with process.exit(): what is left to do must be done at once.
  process.on('exit', () =>
    session.post('Profiler.stop', (error, { profile }) => {
      if (error === null && path !== undefined) writeFileSync(path, JSON.stringify(profile));
    }),
  );
});
