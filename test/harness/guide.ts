import { spawn } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { KubectlResult } from '../sandbox/control-plane/kubectl.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** A fenced block of a guide. */
export interface Block {
  readonly language: string;
  readonly text: string;
}

/** The blocks below a heading of a Markdown file of the project, in order; those of deeper headings, too. */
export async function blocksBelow(file: string, heading: string): Promise<readonly Block[]> {
  const lines = (await readFile(join(root, file), 'utf8')).split('\n');
  const begin = lines.findIndex((line) => /^#+ /.test(line) && line.replace(/^#+ /, '') === heading);
  const level = /^#+/.exec(lines[begin] ?? '')?.[0].length;
  if (level === undefined) {
    throw new Error(`${file} has no heading "${heading}"`);
  }
  const blocks: Block[] = [];
  let open: { readonly language: string; readonly indent: number; readonly lines: string[] } | undefined;
  for (const line of lines.slice(begin + 1)) {
    const [, indent, language] = /^( *)```(.*)$/.exec(line) ?? [];
    if (open === undefined) {
      if (new RegExp(`^#{1,${level}} `).test(line)) break;
      if (indent !== undefined) open = { language: language ?? '', indent: indent.length, lines: [] };
    } else if (indent !== undefined) {
      blocks.push({ language: open.language, text: `${open.lines.join('\n')}\n` });
      open = undefined;
    } else {
      open.lines.push(line.slice(open.indent));
    }
  }
  return blocks;
}

/** Somebody who follows a guide, in a folder and with the kubeconfig of their own. */
export class Follower {
  readonly folder: string;
  readonly #environment: Readonly<Record<string, string | undefined>>;

  /** @param kubectl the program that they have by that name */
  constructor(folder: string, options: { readonly kubectl: string; readonly kubeconfig: string }) {
    this.folder = folder;
    this.#environment = {
      PATH: `${dirname(options.kubectl)}${delimiter}${process.env['PATH'] ?? ''}`,
      HOME: folder,
      KUBECACHEDIR: folder,
      KUBECONFIG: options.kubeconfig,
    };
  }

  /**
   * Does what the block says: runs a script, or writes the file that the block's first line names.
   * Placeholders are replaced by what this reader would put there.
   */
  async does(
    { language, text: given }: Block,
    placeholders: Readonly<Record<string, string>> = {},
  ): Promise<string> {
    const content = Object.entries(placeholders).reduce(
      (result, [placeholder, value]) => result.replaceAll(placeholder, value),
      given,
    );
    if (language === 'yaml') {
      const [, path] = /^# (\S+\.yaml)\n/.exec(content) ?? [];
      if (path === undefined) {
        throw new Error(`the block does not name its file: ${content}`);
      }
      await mkdir(dirname(join(this.folder, path)), { recursive: true });
      await writeFile(join(this.folder, path), content);
      return '';
    }
    const { stdout, stderr, exitCode } = await this.#run(content);
    if (exitCode !== 0) {
      throw new Error(`exit status ${exitCode} of: ${content}\n${stderr}`);
    }
    return stdout;
  }

  /** Runs the command of a block that shows a prompt, and yields what the terminal shows then. */
  async shown({ text: transcript }: Block): Promise<string> {
    const [prompt = ''] = transcript.split('\n', 1);
    const { stdout, stderr } = await this.#run(prompt.replace(/^\$ /, ''));
    return `${prompt}\n${stdout}${stderr}`;
  }

  async #run(script: string): Promise<KubectlResult> {
    const child = spawn('bash', ['-euo', 'pipefail', '-c', script], {
      cwd: this.folder,
      env: this.#environment,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const closed = new Promise<number>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code) => resolve(code ?? 128));
    });
    const [exitCode, stdout, stderr] = await Promise.all([closed, text(child.stdout), text(child.stderr)]);
    return { stdout, stderr, exitCode };
  }
}
