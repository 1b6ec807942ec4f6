import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The record of a run, for people: one line an event, with the seconds since its beginning, on the screen and in a file. */
export class Journal {
  readonly folder: string;
  readonly #file: string;
  readonly #start = performance.now();
  readonly #quiet: boolean;

  constructor(folder: string, quiet = false) {
    mkdirSync(folder, { recursive: true });
    this.folder = folder;
    this.#file = join(folder, 'journal.log');
    this.#quiet = quiet;
    writeFileSync(this.#file, '');
  }

  get seconds(): number {
    return (performance.now() - this.#start) / 1000;
  }

  write(line: string): void {
    const text = `${new Date().toISOString().slice(11, 23)} ${this.seconds.toFixed(1).padStart(6)}s ${line}`;
    appendFileSync(this.#file, `${text}\n`);
    if (!this.#quiet) {
      console.log(text);
    }
  }

  keep(name: string, text: string): void {
    writeFileSync(join(this.folder, name), text);
  }
}
