import { type BenchReport, type CaseResult, type Measurement, wrongCounts } from './result.ts';
import { median, ratios, spread } from './statistics.ts';

/** The results as a Markdown table, with the machine above and wrong counts and unfinished cases below. */
export function reportTable({ version, date, quick, machine, cases }: BenchReport): string {
  const { cpu, cores, memoryGiB, system, node } = machine;
  const rows = cases.flatMap(({ name, measurements }) => measurements.map((one) => row(name, one)));
  const notes = cases.flatMap(notesOf);
  return [
    `context-syncer ${version}, ${date.slice(0, 10)}${quick ? ', quick: sizes too small for bars' : ''}; ${cores} x ${cpu}, ${memoryGiB} GiB, ${system}, Node.js ${node}`,
    '',
    '| case | measured | product | reference | ratio, median (min to max) | bar |',
    '|---|---|---|---|---|---|',
    ...rows,
    '',
    '| case | side, phase | CPU s | peak RSS | requests | bytes |',
    '|---|---|---|---|---|---|',
    ...cases.flatMap(consumptionRows),
    ...(notes.length === 0 ? [] : ['', ...notes.map((note) => `- ${note}`)]),
    '',
  ].join('\n');
}

function row(name: string, { what, unit, bar, product, reference }: Measurement): string {
  const rounds = ratios(product, reference);
  const { median: middle, min, max } = spread(rounds);
  const ratio = rounds.length === 0 ? '-' : `${middle.toFixed(2)} (${min.toFixed(2)} to ${max.toFixed(2)})`;
  const value = (values: readonly number[]): string =>
    values.length === 0 ? '-' : `${rounded(median(values))} ${unit}`;
  return `| ${name} | ${what} | ${value(product)} | ${value(reference)} | ${ratio} | ${bar} |`;
}

/** The medians of all rounds of a phase. */
function consumptionRows({ name, consumption }: CaseResult): readonly string[] {
  const groups = Map.groupBy(consumption, ({ side, phase }) => `${side}, ${phase}`);
  return [...groups].map(([label, rounds]) => {
    const cpu = median(rounds.map(({ cpuSeconds }) => cpuSeconds));
    const rss = median(rounds.map(({ peakRssMiB }) => peakRssMiB));
    const last = rounds.at(-1);
    const requests = Object.entries(last?.requests ?? {}).map(([verb, count]) => `${verb} ${count}`);
    const bytes = Object.entries(last?.bytes ?? {}).map(([place, count]) => `${place} ${mebibytes(count)}`);
    return `| ${name} | ${label} | ${cpu.toFixed(1)} | ${rss.toFixed(0)} MiB | ${requests.join(', ')} | ${bytes.join(', ')} |`;
  });
}

function notesOf(result: CaseResult): readonly string[] {
  const wrong = wrongCounts(result).map(
    ({ what, expected, found }) => `${result.name}: ${what}: ${found} instead of ${expected}`,
  );
  return result.unfinished === undefined
    ? wrong
    : [...wrong, `${result.name} did not finish: ${result.unfinished}`];
}

function rounded(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toFixed(1);
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
