/** Colours that those who see colours differently can tell apart (Okabe and Ito). */
export const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#999999'] as const;

/** A drawing. */
export interface Drawing {
  readonly width: number;
  readonly height: number;
  readonly parts: readonly string[];
}

/** A text; `anchor` says which end of it lies at x. */
export function text(
  x: number,
  y: number,
  content: string,
  { anchor = 'start', size = 12, bold = false }: { anchor?: string; size?: number; bold?: boolean } = {},
): string {
  const weight = bold ? ' font-weight="bold"' : '';
  return `<text x="${at(x)}" y="${at(y)}" font-size="${size}" text-anchor="${anchor}"${weight}>${escape(content)}</text>`;
}

/** A filled rectangle. */
export function rectangle(x: number, y: number, width: number, height: number, fill: string): string {
  return `<rect x="${at(x)}" y="${at(y)}" width="${at(Math.max(width, 0))}" height="${at(height)}" fill="${fill}"/>`;
}

/** A line through points. */
export function polyline(points: readonly (readonly [number, number])[], stroke: string, width = 2): string {
  const path = points.map(([x, y]) => `${at(x)},${at(y)}`).join(' ');
  return `<polyline points="${path}" fill="none" stroke="${stroke}" stroke-width="${width}"/>`;
}

/** Drawings, one below the other, as a file. */
export function svgFile(drawings: readonly Drawing[]): string {
  const width = Math.max(...drawings.map((drawing) => drawing.width));
  let y = 0;
  const placed = drawings.map(({ height, parts }) => {
    const group = `<g transform="translate(0 ${y})">\n${parts.join('\n')}\n</g>`;
    y += height;
    return group;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${y}" viewBox="0 0 ${width} ${y}" font-family="sans-serif" fill="#222">
<rect width="100%" height="100%" fill="#fff"/>
${placed.join('\n')}
</svg>
`;
}

/** A text as XML takes it. */
export function escape(content: string): string {
  return content
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

function at(position: number): string {
  return String(Math.round(position * 10) / 10);
}
