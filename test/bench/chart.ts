import type { CaseResult } from './result.ts';

const width = 720;
const plotHeight = 180;
const margin = { left: 56, right: 170, top: 34, bottom: 40 };
const colours = ['#1f6feb', '#d1622b', '#2da44e', '#8250df'];
/** Milliseconds at the ends of the logarithmic axis. */
const axis = { from: 1, to: 10_000 };
const points = 200;

/** Cumulative latency distributions as SVG, one plot for each case that has latencies. The time axis is logarithmic. */
export function latencyChart(cases: readonly CaseResult[]): string {
  const plots = cases.filter(({ latencies }) => latencies.length > 0);
  const height = plotHeight + margin.top + margin.bottom;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height * plots.length}" font-family="sans-serif" font-size="12">`,
    '<rect width="100%" height="100%" fill="white"/>',
    ...plots.map((plot, index) => `<g transform="translate(0 ${index * height})">${plotOf(plot)}</g>`),
    '</svg>',
    '',
  ].join('\n');
}

function plotOf({ name, latencies }: CaseResult): string {
  const bottom = margin.top + plotHeight;
  const right = width - margin.right;
  const ticks = [1, 10, 100, 1000, 10_000].map(
    (ms) =>
      `<line x1="${x(ms)}" x2="${x(ms)}" y1="${margin.top}" y2="${bottom}" stroke="#ddd"/>` +
      `<text x="${x(ms)}" y="${bottom + 16}" text-anchor="middle">${ms} ms</text>`,
  );
  const shares = [0, 0.5, 0.99].map(
    (share) =>
      `<line x1="${margin.left}" x2="${right}" y1="${y(share)}" y2="${y(share)}" stroke="#ddd"/>` +
      `<text x="${margin.left - 6}" y="${y(share) + 4}" text-anchor="end">${share * 100} %</text>`,
  );
  const lines = latencies.map(({ label, milliseconds }, index) => {
    const colour = colours[index % colours.length] ?? 'black';
    const legend = margin.top + 14 + index * 18;
    return (
      `<polyline fill="none" stroke="${colour}" stroke-width="1.5" points="${curve(milliseconds)}"/>` +
      `<text x="${right + 10}" y="${legend}" fill="${colour}">${escaped(label)}</text>`
    );
  });
  const title = `<text x="${margin.left}" y="20" font-weight="bold">${escaped(name)}: share of copies that arrived within a time</text>`;
  return [title, ...ticks, ...shares, ...lines].join('');
}

function curve(milliseconds: readonly number[]): string {
  const sorted = milliseconds.toSorted((left, right) => left - right);
  return Array.from({ length: points + 1 }, (_, index) => {
    const share = index / points;
    const value = sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? axis.from;
    return `${x(value).toFixed(1)},${y(share).toFixed(1)}`;
  }).join(' ');
}

function x(milliseconds: number): number {
  const clamped = Math.min(axis.to, Math.max(axis.from, milliseconds));
  const share = Math.log(clamped / axis.from) / Math.log(axis.to / axis.from);
  return margin.left + share * (width - margin.left - margin.right);
}

function y(share: number): number {
  return margin.top + (1 - share) * plotHeight;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
