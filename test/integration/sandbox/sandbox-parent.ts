/** A process that starts a sandbox, says what it is made of, and then waits to be ended. */
import { startSandbox } from '../../sandbox/sandbox.ts';

const sandbox = await startSandbox({ targets: 0 });
const { pids } = sandbox.source;
if (process.argv.includes('--paused')) {
  await sandbox.source.pause();
}
console.log(JSON.stringify({ pids: [sandbox.keeperPid, ...pids], folder: sandbox.folder }));
if (process.argv.includes('--throw')) {
  throw new Error('as a test may');
}
setInterval(() => {}, 60_000);
