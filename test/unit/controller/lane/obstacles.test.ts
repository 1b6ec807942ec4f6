import { describe, expect, it } from 'vitest';
import { Obstacles } from '../../../../controller/lane/obstacles.ts';

function outcome(
  obstacles: Obstacles,
  key: string,
  obstacle?: string,
): { readonly role: string | undefined; readonly freed: readonly string[] } {
  const { role, freed } = obstacles.passed(key, obstacle);
  return { role, freed: [...freed] };
}

describe('keys that fail for the same reason', () => {
  it('have one scout, and are freed when it finds the obstacle gone', () => {
    const obstacles = new Obstacles();
    expect(outcome(obstacles, 'a', 'namespace demo')).toEqual({ role: 'scout', freed: [] });
    expect(outcome(obstacles, 'b', 'namespace demo')).toEqual({ role: 'waits', freed: [] });
    expect(outcome(obstacles, 'c', 'namespace demo')).toEqual({ role: 'waits', freed: [] });
    expect(outcome(obstacles, 'a', 'namespace demo')).toEqual({ role: 'scout', freed: [] });
    expect(outcome(obstacles, 'a')).toEqual({ role: undefined, freed: ['b', 'c'] });
    expect(outcome(obstacles, 'b')).toEqual({ role: undefined, freed: [] });
  });

  it('are freed when the scout meets another obstacle, or is no longer wanted', () => {
    const obstacles = new Obstacles();
    outcome(obstacles, 'a', 'namespace demo');
    outcome(obstacles, 'b', 'namespace demo');
    expect(outcome(obstacles, 'a', 'source')).toEqual({ role: 'scout', freed: ['b'] });
    expect(outcome(obstacles, 'b', 'namespace demo')).toEqual({ role: 'scout', freed: [] });
  });

  it('do not wait for the scout of another obstacle', () => {
    const obstacles = new Obstacles();
    expect(outcome(obstacles, 'a', 'namespace demo').role).toBe('scout');
    expect(outcome(obstacles, 'b', 'namespace team').role).toBe('scout');
  });

  it('leave the group one by one when they succeed by themselves', () => {
    const obstacles = new Obstacles();
    outcome(obstacles, 'a', 'server error');
    outcome(obstacles, 'b', 'server error');
    expect(outcome(obstacles, 'b')).toEqual({ role: undefined, freed: [] });
    expect(outcome(obstacles, 'a')).toEqual({ role: undefined, freed: [] });
  });
});
