/** Where the reference loop finds a cluster. */
export interface Endpoint {
  readonly url: string;
  readonly caPem: string;
  readonly token: string;
}

/** One source and the indexes of the targets that it goes to. */
export interface Job {
  readonly name: string;
  readonly targets: readonly number[];
}

export interface ReferenceTask {
  /**
   * - `POST`, `PUT`, `DELETE`: for every job a GET of the source and that write on each of its targets.
   * - `live`: a metadata watch of the sources; for every change a GET and a PUT on each target, until the parent ends.
   * - `lists`: metadata lists of the source and of all targets.
   */
  readonly do: 'POST' | 'PUT' | 'DELETE' | 'live' | 'lists';
  readonly source: Endpoint;
  readonly targets: readonly Endpoint[];
  readonly namespace: string;
  readonly jobs: readonly Job[];
  /** Requests at a time. */
  readonly inFlight: number;
}

/** `ready`: the live loop watches. `done`: the task is done. */
export type ReferenceMessage = 'ready' | 'done';
