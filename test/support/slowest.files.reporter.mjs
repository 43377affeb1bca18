import process from 'node:process';

const SHOWN = 10;

/** Prints the test files that took longest, so that the suite's time can be kept in view. */
export default class SlowestFilesReporter {
  onRunComplete(_contexts, { testResults }) {
    const took = ({ perfStats }) => perfStats.end - perfStats.start;
    const slowest = testResults.toSorted((one, other) => took(other) - took(one)).slice(0, SHOWN);
    if (slowest.length < 2) return;
    const lines = slowest.map((file) => `${seconds(took(file))}  ${shortPath(file.testFilePath)}`);
    process.stderr.write(`\nSlowest test files:\n${lines.join('\n')}\n`);
  }
}

function seconds(ms) {
  return `${(ms / 1_000).toFixed(1).padStart(7)} s`;
}

function shortPath(path) {
  return path.slice(path.indexOf('/test/') + 1);
}
