import type { Clock } from '../../shared/clock.ts';
import { Baseline, InFlightLimit } from './in-flight-limit.ts';
import type { Priority } from './work-queue.ts';

/** Milliseconds for which passes are begun in one go; then everything else has its turn: timers, answers, the Lease. */
const sliceMs = 5;
/** Passes in flight for one cluster. One that falls silent then holds no more than these until they time out. */
const laneShare = 0.5;
const laneFloor = 32;
/** Milliseconds after which a pass no longer counts for the process: its cluster is slow or silent, which costs no other one. */
const overdueMs = 2_000;
/** Milliseconds between two looks for such passes. */
const overdueCheckMs = 500;

/** What the scheduler needs of a lane. */
export interface ScheduledLane {
  /** Begins the next pass of a priority; false where there is none, or the lane pauses. `ended` is called at its end. */
  begin(priority: Priority, ended: (result: PassResult) => void): boolean;
}

export interface PassResult {
  /** The pass wrote to the cluster: its time says how far away, or how busy, that is. */
  readonly wrote: boolean;
}

interface LaneState {
  inFlight: number;
  readonly begun: Set<{ readonly at: number }>;
  readonly baseline: Baseline;
  stalled: boolean;
}

/**
 * Begins the passes of all lanes. It bounds those in flight over all of them and for each, gives lanes turns, puts live
 * changes before all else, and yields to the event loop every few milliseconds, also when passes need no request.
 */
export class Scheduler {
  readonly #clock: Clock;
  readonly #lanes = new Map<ScheduledLane, LaneState>();
  /** Lanes that may have work, in the order of their turns. */
  readonly #turns: Readonly<Record<Priority, Set<ScheduledLane>>> = { live: new Set(), later: new Set() };
  readonly #limit = new InFlightLimit();
  #inFlight = 0;
  #sliceEnd: number | undefined;
  /** The slice ended with lanes that may have more work. */
  #cutShort = false;
  #pausedUntil = 0;
  #cancelPause: (() => void) | undefined;
  #checking = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Passes that may be in flight at a time. */
  get limit(): number {
    return this.#limit.value;
  }

  /** Passes in flight, those apart that are overdue. */
  get inFlight(): number {
    return this.#inFlight;
  }

  add(lane: ScheduledLane): void {
    this.#lanes.set(lane, { inFlight: 0, begun: new Set(), baseline: new Baseline(), stalled: false });
  }

  /** Forgets a lane once its last pass has ended; it gets no turn any more. */
  remove(lane: ScheduledLane): void {
    this.#turns.live.delete(lane);
    this.#turns.later.delete(lane);
    const state = this.#lanes.get(lane);
    if (state !== undefined && !state.stalled) {
      this.#inFlight -= state.inFlight;
      state.stalled = true;
    }
    this.#lanes.delete(lane);
  }

  /** A lane has work of this priority. */
  wake(lane: ScheduledLane, priority: Priority): void {
    if (this.#lanes.has(lane)) {
      this.#turns[priority].add(lane);
      this.#pump();
    }
  }

  /** Begins nothing for this many milliseconds: the source cluster asked for less. A shorter call does not end a longer one. */
  pause(ms: number): void {
    this.#limit.overload();
    this.#pausedUntil = Math.max(this.#pausedUntil, this.#clock.monotonic() + ms);
    this.#armPause();
  }

  #armPause(): void {
    this.#cancelPause?.();
    const leftMs = this.#pausedUntil - this.#clock.monotonic();
    this.#cancelPause = this.#clock.schedule(Math.max(1, leftMs), () => {
      this.#cancelPause = undefined;
      // A timer can fire a little early.
      if (this.#clock.monotonic() < this.#pausedUntil) {
        this.#armPause();
      } else {
        this.#pump();
      }
    });
  }

  #pump(): void {
    if (this.#cancelPause !== undefined || !this.#inSlice()) {
      return;
    }
    for (const priority of ['live', 'later'] as const) {
      for (const lane of this.#turns[priority]) {
        if (this.#inFlight >= this.#limit.value || !this.#inSlice()) {
          return;
        }
        // To the end of the order; a set is iterated over what is added meanwhile.
        this.#turns[priority].delete(lane);
        if (this.#begin(lane, priority)) {
          this.#turns[priority].add(lane);
        }
      }
    }
  }

  #begin(lane: ScheduledLane, priority: Priority): boolean {
    const state = this.#lanes.get(lane);
    if (state === undefined) {
      return false;
    }
    if (state.stalled || state.inFlight >= Math.max(laneFloor, this.#limit.value * laneShare)) {
      // Its next pass that ends gives it its turn again.
      return false;
    }
    const pass = { at: this.#clock.monotonic() };
    const begun = lane.begin(priority, (result) => {
      this.#ended(lane, state, pass, result);
    });
    if (begun) {
      state.begun.add(pass);
      state.inFlight += 1;
      this.#inFlight += 1;
      this.#checkOverdue();
    }
    return begun;
  }

  #ended(lane: ScheduledLane, state: LaneState, pass: { readonly at: number }, { wrote }: PassResult): void {
    const now = this.#clock.monotonic();
    if (wrote) {
      const durationMs = now - pass.at;
      const full = this.#inFlight >= this.#limit.value;
      this.#limit.sample(durationMs, state.baseline.take(durationMs, now), full);
    }
    state.begun.delete(pass);
    state.inFlight -= 1;
    if (!state.stalled) {
      this.#inFlight -= 1;
    }
    if (this.#lanes.has(lane)) {
      this.#setStalled(state, now);
      this.#turns.live.add(lane);
      this.#turns.later.add(lane);
    }
    this.#pump();
  }

  #setStalled(state: LaneState, now: number): void {
    const [oldest] = state.begun;
    const stalled = oldest !== undefined && now - oldest.at > overdueMs;
    if (stalled !== state.stalled) {
      state.stalled = stalled;
      this.#inFlight += stalled ? -state.inFlight : state.inFlight;
    }
  }

  /** Looks for overdue passes for as long as any is in flight. */
  #checkOverdue(): void {
    if (this.#checking) {
      return;
    }
    this.#checking = true;
    this.#clock.schedule(overdueCheckMs, () => {
      this.#checking = false;
      const now = this.#clock.monotonic();
      let busy = false;
      for (const state of this.#lanes.values()) {
        this.#setStalled(state, now);
        busy ||= state.inFlight > 0;
      }
      if (busy) {
        this.#checkOverdue();
      }
      this.#pump();
    });
  }

  /** False when passes were begun for long enough; a timer goes on with it after all else that waits. */
  #inSlice(): boolean {
    const now = this.#clock.monotonic();
    if (this.#sliceEnd === undefined) {
      this.#sliceEnd = now + sliceMs;
      this.#clock.schedule(0, () => {
        const wasCutShort = this.#cutShort;
        this.#sliceEnd = undefined;
        this.#cutShort = false;
        if (wasCutShort) {
          this.#pump();
        }
      });
    }
    this.#cutShort ||= now >= this.#sliceEnd;
    return !this.#cutShort;
  }
}
