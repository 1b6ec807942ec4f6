import type { Program } from './program.ts';

/** All metrics as text, as Prometheus reads them. */
export async function scrape(program: Program): Promise<string> {
  const answer = await fetch(`${await program.endpoint('metrics')}/metrics`);
  return await answer.text();
}

/** The sum of a metric's samples that carry these labels. */
export async function metric(
  program: Program,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<number> {
  const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  return (await scrape(program))
    .split('\n')
    .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
    .filter((line) => wanted.every((label) => line.includes(label)))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}
