import { styleText } from 'node:util';

/** What is printed on; a terminal or not. */
export type Output = Pick<NodeJS.WriteStream, 'write'>;

/** Prints the demo. Colours only where the output is a terminal that wants them (`NO_COLOR` is heeded). */
export class Terminal {
  readonly #output: Output;
  readonly #paint: (format: Parameters<typeof styleText>[0], text: string) => string;

  constructor(output: NodeJS.WriteStream) {
    this.#output = output;
    this.#paint = (format, text) => styleText(format, text, { stream: output });
  }

  heading(text: string): void {
    this.#line(`\n${this.#paint('bold', text)}`);
  }

  /** Explains what comes next. */
  text(text: string): void {
    this.#line(this.#paint('dim', text));
  }

  /** A command as a person would type it. */
  command(text: string): void {
    this.#line(`\n${this.#paint('cyan', `$ ${text}`)}`);
  }

  /** What a command printed, as it is. */
  output(text: string): void {
    if (text !== '') {
      this.#output.write(text.endsWith('\n') ? text : `${text}\n`);
    }
  }

  /** Something that was seen to be so. */
  seen(text: string): void {
    this.#line(`  ${this.#paint('green', '✓')} ${text}`);
  }

  plain(text: string): void {
    this.#line(text);
  }

  problem(text: string): void {
    this.#line(this.#paint('red', text));
  }

  /** Does something that takes a while, and tells how long it took. */
  async step<T>(what: string, work: () => Promise<T>): Promise<T> {
    const began = performance.now();
    const result = await work();
    this.seen(`${what} (${((performance.now() - began) / 1000).toFixed(1)} s)`);
    return result;
  }

  #line(text: string): void {
    this.#output.write(`${text}\n`);
  }
}
