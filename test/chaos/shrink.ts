import type { Step } from './operation.ts';

const quiet: Step = { operation: { op: 'quiet' }, pauseMs: 0 };

/**
 * Makes a failing script shorter: leaves out ever smaller parts while it goes on failing (delta debugging). What is left ends with
 * one quiet point. `fails` plays a script; `mayGoOn` is asked before each of its calls, which take minutes.
 */
export async function shrink(
  script: readonly Step[],
  fails: (script: readonly Step[]) => Promise<boolean>,
  mayGoOn: () => boolean,
): Promise<readonly Step[]> {
  let steps = script.filter(({ operation }) => operation.op !== 'quiet');
  let parts = 2;
  while (steps.length > 1 && parts <= steps.length * 2) {
    const size = Math.ceil(steps.length / parts);
    let isShorter = false;
    // From the end: what came last matters least often for what went wrong before.
    for (let start = (Math.ceil(steps.length / size) - 1) * size; start >= 0; start -= size) {
      const rest = [...steps.slice(0, start), ...steps.slice(start + size)];
      if (rest.length === 0 || rest.length === steps.length) {
        continue;
      }
      if (!mayGoOn()) {
        return [...steps, quiet];
      }
      if (await fails([...rest, quiet])) {
        steps = rest;
        isShorter = true;
      }
    }
    if (size === 1 && !isShorter) {
      break;
    }
    parts = isShorter && size === 1 ? parts : parts * 2;
    parts = Math.min(parts, Math.max(2, steps.length));
  }
  return [...steps, quiet];
}
