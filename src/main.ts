import { stopAtOnce } from './stop.early.js';

// Loading the service takes a second or two, in which a signal would end the process as if it had failed.
process.on('SIGTERM', stopAtOnce);
process.on('SIGINT', stopAtOnce);
process.on('SIGHUP', () => undefined);
await import('./service.js');
