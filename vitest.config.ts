import { defineConfig } from 'vitest/config';

/**
 * Three floors, one after the other. The upper two start control planes, which are heavy for small machines; much of
 * their time is waiting (leases, time-outs), so that a few files side by side take less than one after the other.
 */
export default defineConfig({
  test: {
    projects: [
      // Nothing there is shared between files, and importing is most of the time.
      {
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts'],
          isolate: false,
          // Generated tests and models take seconds of CPU time: on a busy machine more than the five that are the default.
          testTimeout: 60_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          globalSetup: ['test/sandbox/global-setup.ts'],
          maxWorkers: 3,
          sequence: { groupOrder: 1 },
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          globalSetup: ['test/sandbox/global-setup.ts', 'test/harness/build.ts'],
          maxWorkers: 3,
          sequence: { groupOrder: 2 },
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
