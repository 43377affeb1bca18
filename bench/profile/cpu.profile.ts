/** A CPU profile as V8 writes it (Chrome DevTools Protocol, "Profiler.Profile"), as far as it is read here. */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
    readonly children?: readonly number[];
  }[];
  readonly samples: readonly number[];
  /** Microseconds before each sample. */
  readonly timeDeltas: readonly number[];
}

/** A frame and the time spent in it and in what it called. */
export interface Frame {
  readonly name: string;
  /** Microseconds. */
  total: number;
  readonly children: Map<string, Frame>;
}

/** V8's names for when there was nothing to do. */
const IDLE: ReadonlySet<string> = new Set(['(idle)', '(program)']);

/** Adds up the samples: one frame for each function in each place of the stack. Idle time is left out. */
export function callTree(profile: CpuProfile): Frame {
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const parents = new Map(
    profile.nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id])),
  );
  const stacks = new Map<number, string[]>();
  const stackOf = (id: number): string[] => {
    const known = stacks.get(id);
    if (known !== undefined) return known;
    const parent = parents.get(id);
    const node = nodes.get(id);
    const stack =
      parent === undefined || node === undefined ? [] : [...stackOf(parent), nameOf(node.callFrame)];
    stacks.set(id, stack);
    return stack;
  };
  const root: Frame = { name: 'all', total: 0, children: new Map() };
  profile.samples.forEach((id, at) => {
    const stack = stackOf(id);
    if (stack.length === 0 || IDLE.has(stack[0] ?? '')) return;
    const micros = profile.timeDeltas[at] ?? 0;
    root.total += micros;
    let frame = root;
    for (const name of stack) {
      let child = frame.children.get(name);
      if (child === undefined) frame.children.set(name, (child = { name, total: 0, children: new Map() }));
      child.total += micros;
      frame = child;
    }
  });
  return root;
}

function nameOf({ functionName, lineNumber, url }: CpuProfile['nodes'][number]['callFrame']): string {
  const name = functionName === '' ? '(anonymous)' : functionName;
  if (url === '') return name;
  const place = url.replace(/^.*\/(?:dist\/src|dist|node_modules)\//, '').replace(/^node:/, '');
  return `${name} ${place}:${lineNumber + 1}`;
}
