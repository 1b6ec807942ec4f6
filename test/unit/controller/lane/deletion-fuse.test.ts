import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DeletionFuse } from '../../../../controller/lane/deletion-fuse.ts';

const hourMs = 60 * 60_000;

/** How many deletions pass before the first is refused. */
function allowedOf(fuse: DeletionFuse): number {
  let allowed = 0;
  while (fuse.allows()) {
    allowed += 1;
  }
  return allowed;
}

describe('the deletion fuse', () => {
  it('lets half of the copies go in a round, or 500 where that is more, and then none', () => {
    fc.assert(
      fc.property(fc.nat(4_000), (copies) => {
        const fuse = new DeletionFuse();
        fuse.begin(copies, 0);
        expect(fuse.tripped).toBe(false);
        expect(allowedOf(fuse)).toBe(Math.max(500, Math.floor(copies / 2)));
        expect([fuse.tripped, fuse.allows()]).toEqual([true, false]);
      }),
    );
  });

  it('counts afresh after an hour, but stays tripped once it is', () => {
    const fuse = new DeletionFuse();
    for (let round = 0; round < 3; round += 1) {
      fuse.begin(10, round * hourMs);
      expect(Array.from({ length: 400 }, () => fuse.allows())).not.toContain(false);
    }
    allowedOf(fuse);
    fuse.begin(10_000, 9 * hourMs);
    expect([fuse.allows(), fuse.tripped]).toEqual([false, true]);
  });

  it('is not renewed by a cluster that comes and goes within the hour, but grows with what is found there', () => {
    const fuse = new DeletionFuse();
    fuse.begin(0, 0);
    expect(Array.from({ length: 400 }, () => fuse.allows())).not.toContain(false);
    fuse.begin(2_000, hourMs - 1);
    expect(allowedOf(fuse)).toBe(600);
  });

  it('does not count what did not happen, and never owes more than it was asked', () => {
    const fuse = new DeletionFuse();
    for (let attempt = 0; attempt < 2_000; attempt += 1) {
      expect(fuse.allows()).toBe(true);
      fuse.giveBack();
    }
    fuse.giveBack();
    expect(allowedOf(fuse)).toBe(500);
  });
});
