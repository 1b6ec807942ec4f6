import type { BenchCase } from '../bench-case.ts';
import { manyClusters } from './many-clusters.ts';

/** All cases, in the order in which they run. */
export const cases: readonly BenchCase[] = [...manyClusters];
