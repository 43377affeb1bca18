import Sequencer from '@jest/test-sequencer';

/** Files that take half a minute and more, the longest first. */
const LONG = [
  'chaos/chaos.test',
  'chaos/chaos.scenarios.test',
  'findings/safety.test',
  'spool/spool.power.test',
  'spool/spool.mend.test',
  'faults/stepped-clocks.test',
  'spool/spool.model.test',
  'database/embedded.crash.test',
  'api/hostile.bodies.test',
  'feedback/two.stores.test',
  'feedback/redis.outage.test',
  'api/access.settings.test',
  'faults/spool.unread.test',
  'findings/build.test',
  'findings/upgrade.test',
];

/** Begins with the long files, so that none of them is left over at the end while the other workers have nothing to do. */
export default class LongFirstSequencer extends Sequencer {
  sort(tests) {
    const place = ({ path }) => {
      const index = LONG.findIndex((name) => path.includes(`/test/${name}`));
      return index < 0 ? LONG.length : index;
    };
    return super.sort(tests).toSorted((one, other) => place(one) - place(other));
  }
}
