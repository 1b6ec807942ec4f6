import { setTimeout as sleep } from 'node:timers/promises';
import { Pool } from 'undici';
import { usageOf } from '../process-usage.ts';

/** Connections of the load: an API server opens one for each review under way. */
const connections = 32;

/** What one turn of load found. */
export interface Turn {
  readonly latencies: readonly number[];
  readonly cpuSeconds: number;
  /** After the load. */
  readonly rssMiB: number;
  /** Reviews that were not answered with 200. */
  readonly failures: number;
}

/** A webhook under load, and what its process uses meanwhile. */
export class MeasuredServer implements AsyncDisposable {
  readonly #pool: Pool;
  readonly #pid: number;

  constructor(port: number, pid: number) {
    this.#pool = new Pool(`https://127.0.0.1:${port}`, {
      connections,
      pipelining: 1,
      connect: { rejectUnauthorized: false },
    });
    this.#pid = pid;
  }

  async ask(path: string, body: string): Promise<{ readonly status: number; readonly text: string }> {
    const headers = { 'content-type': 'application/json' };
    const answer = await this.#pool.request({ method: 'POST', path, headers, body });
    return { status: answer.statusCode, text: await answer.body.text() };
  }

  /** Sends a review again and again at a fixed rate, whether or not the ones before are answered. */
  async turn(path: string, body: string, rate: number, seconds: number): Promise<Turn> {
    const latencies: number[] = [];
    let failures = 0;
    const one = async (): Promise<void> => {
      const sent = performance.now();
      const status = await this.ask(path, body).then(
        (answer) => answer.status,
        () => undefined,
      );
      latencies.push(performance.now() - sent);
      failures += status === 200 ? 0 : 1;
    };
    const before = await usageOf(this.#pid);
    const began = performance.now();
    const asked: Promise<void>[] = [];
    while (asked.length < rate * seconds) {
      const due = Math.min(rate * seconds, ((performance.now() - began) / 1000) * rate);
      while (asked.length < due) {
        asked.push(one());
      }
      await sleep(1);
    }
    await Promise.all(asked);
    const after = await usageOf(this.#pid);
    return {
      latencies,
      failures,
      cpuSeconds: after.cpuSeconds - before.cpuSeconds,
      rssMiB: after.rssMiB,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool.close();
  }
}
