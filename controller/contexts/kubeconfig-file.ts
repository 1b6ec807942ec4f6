import { watch } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import type { Clock } from '../../shared/clock.ts';
import { Wakeup } from '../../shared/wakeup.ts';

/** Milliseconds between two looks at the file, in case its folder's notifications say nothing. */
const pollMs = 2_000;

export interface KubeconfigText {
  readonly text: string;
  /** What relative paths in it start from; undefined where it is no file, and may name none. */
  readonly baseDirectory: string | undefined;
}

/**
 * Hands over the file's text at first, whenever it changed and when it can be read again, until the signal aborts. The folder is watched, not the
 * file: mounted Secrets change by the swap of a link beside it. Reading is repeated on a timer, too, since
 * notifications can be missing (network file systems) or lost.
 */
export async function followKubeconfigFile(
  options: {
    readonly path: string;
    readonly clock: Clock;
    readonly onText: (config: KubeconfigText) => void;
    /** The file cannot be read at present; what was read last stays in use. Called on every failed look. */
    readonly onUnreadable: (error: unknown) => void;
  },
  signal: AbortSignal,
): Promise<void> {
  const path = resolve(options.path);
  const wakeup = new Wakeup(options.clock);
  const stopWatching = watchFolder(dirname(path), basename(path), wakeup);
  let last: string | undefined;
  try {
    while (!signal.aborted) {
      try {
        const text = await readFile(path, 'utf8');
        if (text !== last) {
          last = text;
          options.onText({ text, baseDirectory: dirname(path) });
        }
      } catch (error) {
        last = undefined;
        options.onUnreadable(error);
      }
      await wakeup.sleep(pollMs, signal);
    }
  } finally {
    stopWatching();
  }
}

function watchFolder(folder: string, file: string, wakeup: Wakeup): () => void {
  try {
    const watcher = watch(folder, { persistent: false }, (_event, changed) => {
      if (changed === null || changed === file || changed === '..data') {
        wakeup.wake();
      }
    });
    // A folder that went away ends the notifications; the timer goes on.
    watcher.on('error', () => {
      watcher.close();
    });
    return () => {
      watcher.close();
    };
  } catch {
    return () => undefined;
  }
}
