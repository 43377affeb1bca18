import fc from 'fast-check';

/** The part of JSON Schema that Core uses. */
export interface DocumentSchema {
  readonly $id?: string;
  readonly title?: string;
  readonly type: string | readonly string[];
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, DocumentSchema>>;
  readonly additionalProperties?: DocumentSchema;
  readonly items?: DocumentSchema;
  readonly default?: unknown;
}

/** At, just inside and just outside of every bound, and where doubles end. */
const BOUNDARY_NUMBERS = [
  ...[0, -0, 5e-324, -5e-324, 0.5, 1, 1 - 2 ** -53, 1 + 2 ** -52, -1, 1.5, 1760659200.25],
  ...[2 ** 31, 2 ** 53, 2 ** 53 + 2, 2 ** 63, 1e21, 1e308, -1e308, Number.MAX_VALUE],
  // What JSON.parse makes of 1e400.
  ...[Infinity, -Infinity],
];

/** Names that mean something to JavaScript and nothing to a contract. */
const ODD_KEYS = [
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  'then',
  'length',
  '0',
  '',
  'reason',
];

const wrong: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom(null, true, false, '', 'ok', 'OK', '1', 'null', ...BOUNDARY_NUMBERS),
  fc.constantFrom<unknown>([], {}, [[]], [null], ['ok'], [{}], { value: 'x' }, [{ value: 'x' }], { name: 1 }),
  fc.jsonValue(),
);

const keys = fc.oneof(fc.constantFrom(...ODD_KEYS), fc.string());

/** Documents that a schema accepts or nearly accepts. */
export function documentsNear(schema: DocumentSchema): fc.Arbitrary<unknown> {
  return fc.oneof({ arbitrary: rightFor(schema), weight: 30 }, { arbitrary: wrong, weight: 1 });
}

function rightFor(schema: DocumentSchema): fc.Arbitrary<unknown> {
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  if (schema.items !== undefined) return fc.array(documentsNear(schema.items), { maxLength: 3 });
  if (schema.properties !== undefined) return objectsNear(schema.properties, schema.required ?? []);
  if (schema.additionalProperties !== undefined) return mapsNear(schema.additionalProperties);
  const { minimum: min = -1e308, maximum: max = 1e308 } = schema;
  const boundaries = fc.constantFrom(...BOUNDARY_NUMBERS);
  if (schema.type === 'integer') return fc.oneof(boundaries, fc.nat());
  if (schema.type === 'number') return fc.oneof(boundaries, fc.double({ noNaN: true, min, max }));
  return fc.oneof(fc.string({ unit: 'binary' }), keys);
}

function mapsNear(values: DocumentSchema): fc.Arbitrary<unknown> {
  return fc
    .array(fc.tuple(keys, documentsNear(values)), { maxLength: 4 })
    .map((entries) => Object.fromEntries(entries));
}

function objectsNear(
  properties: Readonly<Record<string, DocumentSchema>>,
  required: readonly string[],
): fc.Arbitrary<unknown> {
  const known = Object.entries(properties).map(([name, schema]) =>
    documentsNear(schema).chain((value) =>
      // An optional key is often absent, a needed one seldom.
      fc
        .integer({ min: 1, max: required.includes(name) ? 30 : 3 })
        .map((draw): [string, unknown][] => (draw === 1 ? [] : [[name, value]])),
    ),
  );
  const unknown = fc.array(fc.tuple(keys, fc.jsonValue()), { maxLength: 2 });
  // Unknown keys first, so that one with the name of a known key does not replace it.
  return fc
    .tuple(unknown, ...known)
    .map(([extra, ...parts]) => Object.fromEntries([...extra, ...parts.flat()]) as unknown);
}

/** What a reader keeps of a document that the schema accepts: the known keys, and the defaults of absent ones. */
export function keptOf(schema: DocumentSchema, document: unknown): unknown {
  const { items, properties } = schema;
  if (items !== undefined) return (document as unknown[]).map((item) => keptOf(items, item));
  if (properties === undefined) return document;
  const given = document as Record<string, unknown>;
  return Object.fromEntries(
    Object.entries(properties).flatMap(([name, field]) => {
      if (given[name] !== undefined) return [[name, keptOf(field, given[name])]];
      return field.default === undefined ? [] : [[name, field.default]];
    }),
  );
}
