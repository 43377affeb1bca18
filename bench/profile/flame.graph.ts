import { escape, svgFile } from '../report/svg.js';
import type { Frame } from './cpu.profile.js';

const WIDTH = 1_400;
const ROW = 17;
const TITLE = 30;
const NARROWEST = 1;
const PER_CHARACTER = 6.2;

/** The call tree as a flame graph: width is time, callers lie below what they call; names show when pointed at. */
export function flameGraph(title: string, root: Frame): string {
  const parts: string[] = [];
  const depth = depthOf(root);
  const height = TITLE + (depth + 1) * ROW;
  const draw = (frame: Frame, x: number, level: number): void => {
    const width = (frame.total / root.total) * WIDTH;
    if (width < NARROWEST) return;
    const y = height - (level + 1) * ROW;
    const share = ((100 * frame.total) / root.total).toFixed(1);
    const label = frame.name.slice(0, Math.floor(width / PER_CHARACTER));
    const shown =
      label.length < 3 ? '' : `<text x="${(x + 2).toFixed(1)}" y="${y + 12}">${escape(label)}</text>`;
    parts.push(
      `<g><title>${escape(frame.name)}, ${(frame.total / 1_000).toFixed(0)} ms, ${share} %</title>` +
        `<rect x="${x.toFixed(1)}" y="${y}" width="${width.toFixed(1)}" height="${ROW - 1}" fill="${colour(frame.name)}"/>${shown}</g>`,
    );
    let childX = x;
    // The widest first, so that two graphs can be compared by eye.
    for (const child of [...frame.children.values()].sort((a, b) => b.total - a.total)) {
      draw(child, childX, level + 1);
      childX += (child.total / root.total) * WIDTH;
    }
  };
  draw(root, 0, 0);
  const heading = `<text x="8" y="20" font-size="14">${escape(title)}, ${(root.total / 1e6).toFixed(1)} s on the CPU</text>`;
  return svgFile([
    {
      width: WIDTH,
      height,
      parts: [heading, '<g font-size="11" font-family="monospace">', ...parts, '</g>'],
    },
  ]);
}

function depthOf(frame: Frame): number {
  return 1 + Math.max(0, ...[...frame.children.values()].map(depthOf));
}

/** Ours warm, libraries pale, the runtime grey. */
function colour(name: string): string {
  if (/ (bars|coordinator|http|database|config|metrics|rate-control|core|logging|health)\//.test(name))
    return '#f4a259';
  if (/ \S*\.[cm]?js:/.test(name)) return '#f6d8ae';
  return '#d0d4d8';
}
