/** Runs the benchmarks that are named, or all: `npm run bench -- <name>`. */
const BENCHMARKS = ['feedback', 'spool'];

const named = process.argv.slice(2);
const unknown = named.filter((name) => !BENCHMARKS.includes(name));
if (unknown.length > 0) {
  process.stderr.write(`no benchmark ${unknown.join(', ')}; there are: ${BENCHMARKS.join(', ')}\n`);
  process.exit(2);
}
for (const name of named.length > 0 ? named : BENCHMARKS) await import(`./${name}.bench.js`);
