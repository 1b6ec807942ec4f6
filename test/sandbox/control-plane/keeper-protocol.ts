/** What a test process asks of its keeper, one JSON document a line on the keeper's stdin. */
export type KeeperRequest =
  | {
      readonly id: number;
      readonly do: 'start';
      readonly name: string;
      readonly command: string;
      readonly args: readonly string[];
      readonly folder: string;
      readonly logFile: string;
    }
  | { readonly id: number; readonly do: 'signal'; readonly name: string; readonly signal: NodeJS.Signals }
  | { readonly id: number; readonly do: 'expectToStay'; readonly name: string }
  | { readonly id: number; readonly do: 'keepLogs' }
  | { readonly id: number; readonly do: 'end' };

/** What the keeper says, one JSON document a line on its stdout. */
export type KeeperMessage =
  | { readonly kind: 'done'; readonly id: number; readonly pid?: number }
  | { readonly kind: 'failed'; readonly id: number; readonly error: string }
  | { readonly kind: 'exited'; readonly name: string; readonly pid: number; readonly how: string };
