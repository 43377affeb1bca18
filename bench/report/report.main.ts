/** Writes what `bench/results` holds into `bench/README.md`, between its two marks: `npm run bench:report`. */
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

import { format, resolveConfig } from 'prettier';

import { CATALOGUE } from '../catalogue.js';
import { report } from './report.js';
import { readKept } from './results.file.js';

const README = fileURLToPath(new URL('../../../bench/README.md', import.meta.url));
const BEGIN = '<!-- measured: made by npm run bench:report -->';
const END = '<!-- /measured -->';

const kept = await readKept();
const inOrder = Object.keys(CATALOGUE).flatMap((name) => kept.get(name) ?? []);
const readme = await readFile(README, 'utf8');
const [begin, end] = [readme.indexOf(BEGIN), readme.indexOf(END)];
if (begin < 0 || end < begin) throw new Error(`bench/README.md lacks ${BEGIN} or ${END}`);
const text = `${readme.slice(0, begin)}${BEGIN}\n\n${report(inOrder)}\n\n${readme.slice(end)}`;
await writeFile(README, await format(text, { ...(await resolveConfig(README)), parser: 'markdown' }));
