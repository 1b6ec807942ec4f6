import { expect, test } from 'vitest';
import { generateScript, type ScriptOptions } from '../../chaos/generate.ts';
import { faultGroups } from '../../chaos/operation.ts';
import { describeOperation } from '../../chaos/perform.ts';
import { Random } from '../../chaos/random.ts';

const options: ScriptOptions = {
  seed: 7,
  operations: 2_000,
  faults: faultGroups,
  targets: 2,
  quietEvery: 100,
};

test('the same seed always gives the same script, another seed another one', () => {
  expect(generateScript(options)).toEqual(generateScript(options));
  expect(generateScript({ ...options, seed: 8 })).not.toEqual(generateScript(options));
});

test('a script survives JSON, has quiet points, and ends with one', () => {
  const script = generateScript(options);
  expect(JSON.parse(JSON.stringify(script))).toEqual(script);
  expect(script.filter(({ operation }) => operation.op === 'quiet')).toHaveLength(20);
  expect(script.at(-1)?.operation).toEqual({ op: 'quiet' });
});

test('every operation is about places that exist', () => {
  for (const { operation } of generateScript(options)) {
    expect(describeOperation(operation)).toContain(operation.op);
  }
});

test.each(faultGroups)('the group %s adds operations that are not there without it', (group) => {
  const without = new Set(generateScript({ ...options, faults: [] }).map(kindOf));
  const added = generateScript({ ...options, faults: [group] }).filter((step) => !without.has(kindOf(step)));
  expect(added.length).toBeGreaterThan(0);
});

test('without faults only sources change', () => {
  const ops = new Set(generateScript({ ...options, faults: [] }).map(kindOf));
  expect([...ops].every((op) => op.endsWith('-source') || op === 'quiet')).toBe(true);
});

test('random numbers keep to their bounds, and choices to their weights', () => {
  const random = new Random(1);
  const numbers = Array.from({ length: 1_000 }, () => random.between(3, 5));
  expect([...new Set(numbers)].toSorted((left, right) => left - right)).toEqual([3, 4, 5]);
  const chosen = Array.from({ length: 1_000 }, () =>
    random.weighted([
      [9, 'often'],
      [1, 'rarely'],
      [0, 'never'],
    ]),
  );
  expect(chosen).not.toContain('never');
  expect(chosen.filter((one) => one === 'rarely').length).toBeLessThan(250);
  expect(chosen).toContain('rarely');
});

function kindOf({ operation }: ReturnType<typeof generateScript>[number]): string {
  return operation.op === 'fault' ? `fault ${operation.fault.kind}` : operation.op;
}
