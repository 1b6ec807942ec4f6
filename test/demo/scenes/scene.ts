import type { Demo } from '../demo.ts';

/** One idea of the tutorial. */
export interface Scene {
  readonly title: string;
  /** Throws when something does not come to pass. */
  play(demo: Demo): Promise<void>;
}
