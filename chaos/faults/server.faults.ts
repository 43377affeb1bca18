import { SERVICE_ROLE } from '../stage.database.js';
import type { Fault } from './fault.js';

/** What happens to the processes of PostgreSQL. */
export const SERVER_FAULTS: readonly Fault[] = [
  {
    name: 'kill-postgres',
    what: 'kill -9 of PostgreSQL',
    takes: ['database'],
    inflict: async ({ database }) => {
      await database.ready();
      database.signal('SIGKILL');
    },
  },
  {
    name: 'kill-backend',
    what: 'kill -9 of one session of a service, after which PostgreSQL ends all others and recovers',
    takes: ['database'],
    inflict: async (scene) => {
      await scene.until('a service has a session', async () => {
        const [session] = await scene.database.sql<{ pid: number }>(
          `SELECT pid FROM pg_stat_activity WHERE usename = '${SERVICE_ROLE}' LIMIT 1`,
        );
        if (session) process.kill(session.pid, 'SIGKILL');
        return session !== undefined;
      });
    },
  },
  {
    name: 'restart-postgres',
    what: 'a fast shutdown of PostgreSQL, which is started again',
    takes: ['database'],
    inflict: async ({ database }) => {
      // PostgreSQL 18 may wait for itself for ever when it is told to end while it recovers from a crash.
      await database.ready();
      database.signal('SIGINT');
    },
  },
  {
    name: 'freeze-postgres',
    what: 'SIGSTOP to all processes of PostgreSQL for up to 2 s',
    takes: ['database'],
    inflict: async (scene) => {
      await scene.database.signalAll('SIGSTOP');
      await scene.pause(200, 2_000);
      await scene.database.signalAll('SIGCONT');
    },
  },
  {
    name: 'freeze-postgres-long',
    what: 'SIGSTOP to all processes of PostgreSQL for 20 s; only when it is named',
    takes: ['database'],
    slow: true,
    inflict: async (scene) => {
      await scene.database.signalAll('SIGSTOP');
      await scene.pause(20_000, 20_000);
      await scene.database.signalAll('SIGCONT');
    },
  },
];
