import type { Fault } from './fault.js';

/** What happens to the process of the service. */
export const SERVICE_FAULTS: readonly Fault[] = [
  {
    name: 'kill-service',
    what: 'kill -9 of the service, which is started again',
    inflict: async (stage) => {
      await stage.service.kill();
      await stage.startService();
    },
  },
  {
    name: 'stop-service',
    what: 'SIGTERM to the service, which must end with 0 and is started again',
    inflict: async (stage) => {
      const code = await stage.service.stop();
      await stage.startService();
      if (code !== 0) throw new Error(`the service ended with ${code} after SIGTERM`);
    },
  },
];
