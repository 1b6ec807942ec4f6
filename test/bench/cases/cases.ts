import type { BenchCase } from '../bench-case.ts';
import { atRest } from './at-rest.ts';
import { large } from './large.ts';
import { manyClusters } from './many-clusters.ts';
import { tenants } from './tenants.ts';
import { twoTargets } from './two-targets.ts';
import { webhook } from './webhook.ts';

/** All cases, in the order in which they run. */
export const cases: readonly BenchCase[] = [
  ...twoTargets,
  ...manyClusters,
  ...atRest,
  ...large,
  webhook,
  tenants,
];
