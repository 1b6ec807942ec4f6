import { defineConfig } from 'vitest/config';

/** `npm run test:image`: apart from `npm test`, since it needs programs that build images. */
export default defineConfig({
  test: {
    name: 'image',
    include: ['test/image/**/*.test.ts'],
    globalSetup: ['test/image/require-tools.ts', 'test/sandbox/global-setup.ts'],
    testTimeout: 120_000,
    // Builds two base images and the image.
    hookTimeout: 900_000,
  },
});
