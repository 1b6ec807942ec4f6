import { readFile } from 'node:fs/promises';

/** Linux counts CPU time in these, on every architecture. */
const ticksPerSecond = 100;

export interface ProcessUsage {
  readonly cpuSeconds: number;
  readonly rssMiB: number;
  /** The largest so far. */
  readonly peakRssMiB: number;
}

/** What a running process has used since its start; from /proc, so Linux only. */
export async function usageOf(pid: number): Promise<ProcessUsage> {
  const [stat, status] = await Promise.all([
    readFile(`/proc/${pid}/stat`, 'utf8'),
    readFile(`/proc/${pid}/status`, 'utf8'),
  ]);
  return {
    cpuSeconds: cpuSeconds(stat),
    rssMiB: mebibytes(status, 'VmRSS'),
    peakRssMiB: mebibytes(status, 'VmHWM'),
  };
}

/** utime and stime, the 14th and 15th field; the second is a name in brackets that can hold anything. */
export function cpuSeconds(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

export function mebibytes(status: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1] ?? Number.NaN) / 1024;
}
