/**
 * `npm run bench:docs -- FILE...`: writes the results in these files of `npm run bench -- --json FILE` into
 * docs/performance.md, between its two markers, and the latency distributions, if there are any, beside it.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { trustedJson } from '../sandbox/json.ts';
import { latencyChart } from './chart.ts';
import { reportTable } from './report.ts';
import type { BenchReport } from './result.ts';

const document = fileURLToPath(new URL('../../docs/performance.md', import.meta.url));
const chart = fileURLToPath(new URL('../../docs/latencies.svg', import.meta.url));
const begin = '<!-- results: written by npm run bench:docs -->';
const end = '<!-- end of results -->';

async function main(files: readonly string[]): Promise<void> {
  const reports = await Promise.all(
    files.map(async (file) => trustedJson<BenchReport>(await readFile(file, 'utf8'))),
  );
  const text = await readFile(document, 'utf8');
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (reports.length === 0 || from === -1 || to < from) {
    throw new Error(`there must be files, and ${document} must contain ${begin} and, after it, ${end}`);
  }
  const tables = merged(reports).map(reportTable).join('\n');
  await writeFile(document, `${text.slice(0, from)}${begin}\n\n${tables}\n${text.slice(to)}`);
  const live = reports.flatMap(({ cases }) => cases).filter(({ latencies }) => latencies.length > 0);
  if (live.length > 0) {
    await writeFile(chart, latencyChart(live));
  }
}

/** One report for each version and machine, with the cases of all files. */
function merged(reports: readonly BenchReport[]): readonly BenchReport[] {
  const groups = Map.groupBy(reports, ({ version, quick, machine }) =>
    JSON.stringify([version, quick, machine]),
  );
  return [...groups.values()].flatMap((group) => {
    const first = group[0];
    return first === undefined ? [] : [{ ...first, cases: group.flatMap(({ cases }) => cases) }];
  });
}

await main(process.argv.slice(2));
