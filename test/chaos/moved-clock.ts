/**
 * Loaded into a controller before its program: a clock that is off by as many hours as the file CHAOS_CLOCK says, which is read at the
 * start and with every SIGUSR2. Timers and the monotonic clock go on as they are, as when somebody sets the time of a machine.
 */
import { readFileSync } from 'node:fs';

const hourMs = 3_600_000;
const RealDate = Date;
let offsetMs = 0;

class MovedDate extends RealDate {
  constructor(...args: readonly [] | readonly [string | number | Date]) {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the constructor of Date has overloads, and takes what it was given
    super(...((args.length === 0 ? [MovedDate.now()] : args) as [number]));
  }

  static override now(): number {
    return RealDate.now() + offsetMs;
  }
}

function readOffset(): void {
  try {
    offsetMs = Number(readFileSync(process.env['CHAOS_CLOCK'] ?? '', 'utf8')) * hourMs;
  } catch {
    // Nobody moved it yet.
    offsetMs = 0;
  }
}

process.on('SIGUSR2', readOffset);
readOffset();
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- nobody calls Date without new, or with its parts
globalThis.Date = MovedDate as unknown as DateConstructor;
