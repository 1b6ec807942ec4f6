import type { HttpFault } from '../sandbox/network/http-fault-proxy.ts';

/** What a source or a foreign object holds. The payload follows from these numbers alone, so a script replays alike. */
export interface ContentSpec {
  /** Different numbers, different values. */
  readonly version: number;
  readonly keys: number;
  readonly binary: boolean;
  readonly immutable: boolean;
  /** Of a Secret. */
  readonly type: 'Opaque' | 'example.org/other';
  readonly labels: number;
}

/** A change of the kubeconfig with the contexts. */
export type ContextChange =
  | { readonly change: 'toggle'; readonly name: string }
  | { readonly change: 'repoint' }
  | { readonly change: 'move-namespace' }
  | { readonly change: 'rotate' }
  | { readonly change: 'half-written'; readonly ms: number }
  | { readonly change: 'garbage'; readonly ms: number };

export type ForeignWay = 'plain' | 'clone' | 'other-cluster' | 'garbage' | 'orphan';
/** `orphan`: an owner that does not exist, so that a controller manager deletes the copy. */
export type CopyEdit = 'data' | 'labels' | 'strip-labels' | 'strip-origin' | 'addition' | 'orphan';

/**
 * One step of a run. Every operation can be carried out in any state, where it may do nothing, so that each part of a script is a
 * script. Clusters are numbers: 0 is the source. Operations on copies take the first copy that there is from their slot on. Controllers are 0 and 1. `ms` says how long something lasts; later
 * operations do not wait for its end.
 */
export type Operation =
  | {
      readonly op: 'put-source';
      readonly slot: number;
      readonly list: string | null;
      readonly content: ContentSpec;
    }
  | { readonly op: 'edit-source'; readonly slot: number; readonly content: ContentSpec }
  | { readonly op: 'list-source'; readonly slot: number; readonly list: string | null }
  | { readonly op: 'delete-source'; readonly slot: number }
  | { readonly op: 'recreate-source'; readonly slot: number; readonly content: ContentSpec }
  | { readonly op: 'edit-copy'; readonly cluster: number; readonly slot: number; readonly edit: CopyEdit }
  | { readonly op: 'delete-copy'; readonly cluster: number; readonly slot: number }
  | { readonly op: 'hold-copy'; readonly cluster: number; readonly slot: number; readonly ms: number }
  | {
      readonly op: 'put-foreign';
      readonly cluster: number;
      readonly slot: number;
      readonly way: ForeignWay;
      readonly content: ContentSpec;
    }
  | { readonly op: 'remove-foreign'; readonly cluster: number; readonly slot: number }
  | {
      readonly op: 'delete-namespace';
      readonly cluster: number;
      readonly namespace: string;
      readonly terminatingMs: number;
      readonly absentMs: number;
    }
  | ({ readonly op: 'contexts' } & ContextChange)
  | { readonly op: 'kill-controller'; readonly controller: number; readonly ms: number }
  | { readonly op: 'stop-controller'; readonly controller: number; readonly ms: number }
  | { readonly op: 'suspend-controller'; readonly controller: number; readonly ms: number }
  | {
      readonly op: 'trap';
      readonly when: 'before' | 'after';
      readonly nth: number;
      readonly signal: 'SIGKILL' | 'SIGSTOP';
      readonly ms: number;
    }
  /** The controllers, which are of 0.1 where a script has this, become the present ones, one after the other. */
  | { readonly op: 'upgrade' }
  | { readonly op: 'clock'; readonly controller: number; readonly hours: number }
  | {
      /** Another API server on the cluster's etcd, which stood still for `staleMs`, answers at its address for `ms`. */
      readonly op: 'replica';
      readonly cluster: number;
      readonly staleMs: number;
      readonly ms: number;
      /** Whether the controllers start anew on it. */
      readonly restart: boolean;
    }
  | { readonly op: 'policies'; readonly denied: 'a' | 'b' | null }
  | { readonly op: 'kill-server'; readonly cluster: number; readonly ms: number }
  | { readonly op: 'pause-server'; readonly cluster: number; readonly ms: number }
  | { readonly op: 'compact'; readonly cluster: number; readonly restart: boolean }
  | { readonly op: 'fault'; readonly cluster: number; readonly fault: HttpFault; readonly ms: number }
  | { readonly op: 'swap'; readonly cluster: number; readonly with: number; readonly ms: number }
  | { readonly op: 'rights'; readonly cluster: number; readonly ms: number }
  | { readonly op: 'snapshot'; readonly cluster: number }
  | { readonly op: 'restore'; readonly cluster: number }
  | { readonly op: 'rebuild'; readonly cluster: number }
  | { readonly op: 'quiet' };

/** An operation, and the pause after it. */
export interface Step {
  readonly operation: Operation;
  readonly pauseMs: number;
}

/** Groups of operations that can be switched on. Sources always change. */
export const faultGroups = [
  'copies',
  'foreign',
  'namespaces',
  'contexts',
  'controllers',
  'servers',
  'network',
  'watches',
  'answers',
  'compaction',
  'swap',
  'rights',
  'restore',
  'rebuild',
  'clocks',
  'replicas',
  'policies',
  'manager',
] as const;
export type FaultGroup = (typeof faultGroups)[number];
