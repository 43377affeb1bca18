/** Loaded into the service before its own code by `--profile`: writes a CPU profile when the service ends. */
import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector';

const path = process.env['MDS_BENCH_PROFILE'];
if (path !== undefined) {
  const session = new Session();
  session.connect();
  session.post('Profiler.enable');
  session.post('Profiler.setSamplingInterval', { interval: 500 });
  session.post('Profiler.start');
  // The service ends with process.exit(): what is left to do must be done at once.
  process.on('exit', () =>
    session.post('Profiler.stop', (error, result) => {
      if (error === null) writeFileSync(path, JSON.stringify(result.profile));
    }),
  );
}
