#!/usr/bin/env node
import { exitStatus } from './exit-status.ts';
import { nodeProblem } from './node-version.ts';

const problem = nodeProblem(process.versions.node);
if (problem !== undefined) {
  process.stderr.write(problem);
  process.exit(exitStatus.badInput);
}
// Loaded after the check: an older Node.js cannot even load the rest, and says so in riddles.
await import('./start.ts');
