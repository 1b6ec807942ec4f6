import type { Program } from '../harness/program.ts';
import { property } from '../sandbox/json.ts';

/**
 * Bytes of the JavaScript heap that a garbage collection leaves in a program that runs with `--inspect`. Resident memory
 * says little about this: V8 keeps what it once had.
 */
export async function retainedBytes(program: Program): Promise<number> {
  const url = /ws:\/\/\S+/.exec(program.output)?.[0];
  if (url === undefined) {
    throw new Error('the program names no inspector');
  }
  const socket = new WebSocket(url);
  await new Promise((resolve, reject) => {
    socket.addEventListener('open', resolve, { once: true });
    socket.addEventListener('error', () => reject(new Error('the inspector cannot be reached')), {
      once: true,
    });
  });
  const ask = async (id: number, method: string): Promise<unknown> => {
    const answered = new Promise<MessageEvent>((resolve) => {
      socket.addEventListener('message', resolve, { once: true });
    });
    socket.send(JSON.stringify({ id, method }));
    const data: unknown = (await answered).data;
    return property(JSON.parse(String(data)), 'result');
  };
  await ask(1, 'HeapProfiler.collectGarbage');
  const usage = await ask(2, 'Runtime.getHeapUsage');
  socket.close();
  return Number(property(usage, 'usedSize'));
}
