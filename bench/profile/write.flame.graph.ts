import { readFile, writeFile } from 'node:fs/promises';

import { callTree, type CpuProfile } from './cpu.profile.js';
import { flameGraph } from './flame.graph.js';

/** Draws the profile beside itself. @returns the path of the drawing */
export async function writeFlameGraph(title: string, profilePath: string): Promise<string> {
  const profile = JSON.parse(await readFile(profilePath, 'utf8')) as CpuProfile;
  const path = profilePath.replace(/\.cpuprofile$/, '.flame.svg');
  await writeFile(path, flameGraph(title, callTree(profile)));
  return path;
}
