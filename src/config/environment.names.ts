/** Names that begin so are this service's. */
const OURS = /^(?:MDS|MDP|APP|ADMIN|INGEST|FEEDBACK|READ)_/;
/** The tests' own. */
const OF_TESTS = 'MDS_TEST_';
/**
 * What Kubernetes sets in every container of a namespace for each Service in it ("Discovering services", and the form of
 * Docker's links): for a Service `mds` it is MDS_SERVICE_HOST, MDS_SERVICE_PORT, MDS_SERVICE_PORT_HTTP, MDS_PORT,
 * MDS_PORT_8081_TCP, and MDS_PORT_8081_TCP_PROTO, _PORT and _ADDR.
 */
const OF_SERVICES =
  /_(?:SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9_]+)?|PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)$/;
const SERVICE_ADDRESS = /^(?:tcp|udp|sctp):\/\//;

/** A problem for each variable that has a name of ours and is none of the known. */
export function unknownNames(variables: NodeJS.ProcessEnv, known: readonly string[]): string[] {
  const names = new Set(known);
  return Object.keys(variables)
    .filter((name) => OURS.test(name) && !names.has(name) && !name.startsWith(OF_TESTS))
    .filter((name) => !isServiceLink(name, variables[name]))
    .map((name) => `${name} is no setting${hint(name, known)}`);
}

function isServiceLink(name: string, value = ''): boolean {
  return OF_SERVICES.test(name) || (name.endsWith('_PORT') && SERVICE_ADDRESS.test(value));
}

/** The nearest setting, unless more than a third of the name is different: then somebody meant something else. */
function hint(name: string, known: readonly string[]): string {
  const distances = known.map((other) => ({ other, distance: distanceOf(name, other) }));
  const { other, distance } = distances.reduce((a, b) => (b.distance < a.distance ? b : a));
  return distance <= name.length / 3 ? `; the nearest is ${other}` : '';
}

/** Levenshtein's distance: the least characters to insert, remove and replace. */
function distanceOf(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 0; i < a.length; i++) {
    const next = [i + 1];
    for (let j = 0; j < b.length; j++) {
      const [above = 0, aside = 0, before = 0] = [row[j + 1], next[j], row[j]];
      next.push(Math.min(above + 1, aside + 1, before + (a[i] === b[j] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
