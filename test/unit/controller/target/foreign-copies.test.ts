import { expect, it } from 'vitest';
import { ForeignCopies } from '../../../../controller/target/foreign-copies.ts';
import { silentLogger } from '../../../../shared/logger.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';
import { reading } from '../arbitraries.ts';

it('copies of another source cluster are counted once when all namespaces, and then single ones, are listed', () => {
  const clock = new ManualClock();
  const foreign = new ForeignCopies({ cluster: 'c', reading, clock, logger: silentLogger });
  foreign.listed('ConfigMap', undefined, new Map([['old', 3]]));
  foreign.listed('Secret', undefined, new Map([['old', 1]]));
  foreign.listed('ConfigMap', 'a', new Map([['old', 2]]));
  foreign.listed('ConfigMap', 'b', new Map());
  expect(foreign.counts()).toEqual(new Map([['old', 3]]));
  foreign.listed('ConfigMap', undefined, new Map([['old', 5]]));
  expect(foreign.counts()).toEqual(new Map([['old', 6]]));
});
