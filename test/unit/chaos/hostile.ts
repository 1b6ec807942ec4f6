import * as fc from 'fast-check';

/** Values that nobody expects anywhere: wrong types, keys of prototypes, huge and broken texts, deep nesting. */
export const hostileValues: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    [],
    {},
    '',
    true,
    -1,
    1e308,
    '__proto__',
    'constructor',
    '\ud800',
    '\u0000',
    ' \t\n',
    '🦆'.repeat(1_000),
    'x'.repeat(300_000),
    Array.from({ length: 5_000 }, () => 'x'),
    JSON.parse('{"__proto__":{"name":"x","namespace":"x"},"constructor":{"prototype":{}}}'),
    nested(200),
  ),
  fc.jsonValue(),
  fc.string({ unit: 'binary', maxLength: 20 }),
);

/** The document with hostile values in places of its own, and keys of prototypes beside what it has. */
export function mutated(document: unknown): fc.Arbitrary<unknown> {
  return fc
    .tuple(
      fc.array(fc.tuple(fc.nat(), hostileValues), { minLength: 1, maxLength: 3 }),
      fc.option(
        fc.tuple(fc.nat(), fc.constantFrom('__proto__', 'toString', 'x'.repeat(1_000)), hostileValues),
        {
          nil: undefined,
        },
      ),
    )
    .map(([changes, addition]) => {
      const result = addition === undefined ? document : added(document, ...addition);
      return changes.reduce<unknown>((current, [index, value]) => replaced(current, index, value), result);
    });
}

/** The text with a piece cut out, doubled or replaced. */
export function garbled(text: string): fc.Arbitrary<string> {
  return fc
    .tuple(fc.nat(text.length), fc.nat(20), fc.string({ unit: 'binary', maxLength: 8 }))
    .map(([start, length, piece]) => text.slice(0, start) + piece + text.slice(start + length));
}

type Path = readonly string[];

/** Paths to all values inside a document. */
function pathsOf(value: unknown, path: Path = []): readonly Path[] {
  const inside =
    typeof value === 'object' && value !== null
      ? Object.entries(value).flatMap(([key, member]) => pathsOf(member, [...path, key]))
      : [];
  return path.length === 0 ? inside : [path, ...inside];
}

function replaced(document: unknown, index: number, value: unknown): unknown {
  const paths = pathsOf(document).slice(0, 500);
  const path = paths[index % Math.max(1, paths.length)];
  return path === undefined ? value : changed(document, path, () => value);
}

function added(document: unknown, index: number, key: string, value: unknown): unknown {
  const objects = pathsOf(document).filter((path) => isPlain(at(document, path)));
  const path = objects[index % Math.max(1, objects.length)] ?? [];
  return changed(document, path, (object) => {
    const copy = { ...asObject(object) };
    // As JSON.parse does: an own property, also for __proto__.
    Object.defineProperty(copy, key, { value, enumerable: true, configurable: true, writable: true });
    return copy;
  });
}

function changed(value: unknown, [key, ...rest]: Path, change: (value: unknown) => unknown): unknown {
  if (key === undefined) {
    return change(value);
  }
  if (Array.isArray(value)) {
    return value.map((member: unknown, index) =>
      String(index) === key ? changed(member, rest, change) : member,
    );
  }
  return Object.fromEntries(
    Object.entries(asObject(value)).map(([name, member]) => [
      name,
      name === key ? changed(member, rest, change) : member,
    ]),
  );
}

function at(value: unknown, path: Path): unknown {
  return path.reduce<unknown>((current, key) => asObject(current)[key], value);
}

function isPlain(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function asObject(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

function nested(depth: number): unknown {
  return depth === 0 ? 'x' : [nested(depth - 1)];
}
