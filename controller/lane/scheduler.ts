import type { Clock } from '../../shared/clock.ts';
import { Baseline, InFlightLimit } from './in-flight-limit.ts';
import { type PassResult, PassUnderWay } from './pass-under-way.ts';
import { Pause } from './pause.ts';
import type { Priority } from './work-queue.ts';

/** Milliseconds for which passes are begun in one go; then everything else has its turn: timers, answers, the Lease. */
const sliceMs = 5;
/** Passes in flight for one cluster. One that falls silent then holds no more than these until they are overdue. */
const laneShare = 0.5;
const laneFloor = 32;
/** Passes that a lane with overdue ones may have beyond its share: one namespace that hangs must not stop all others. */
const stalledExtra = 32;
/** Milliseconds between two looks for overdue passes. */
const overdueCheckMs = 500;

/** What the scheduler needs of a lane. */
export interface ScheduledLane {
  /** Begins the next pass of a priority, and ends it in a later turn; false where there is none, or the lane pauses. */
  begin(priority: Priority, pass: PassUnderWay): boolean;
}

interface LaneState {
  readonly passes: Set<PassUnderWay>;
  readonly baseline: Baseline;
  /** A pass of it is overdue: its passes do not count for the process. */
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
  /**
   * Passes that count for the process: those that wait for the source cluster, whose reads they bound, and those of lanes
   * that are not stalled.
   */
  readonly #counted = new Set<PassUnderWay>();
  readonly #pause: Pause;
  #sliceEnd: number | undefined;
  /** The slice ended with lanes that may have more work. */
  #cutShort = false;
  #checking = false;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#pause = new Pause(clock, () => {
      this.#pump();
    });
  }

  /** Passes that may be in flight at a time. */
  get limit(): number {
    return this.#limit.value;
  }

  /** Passes in flight that count for the process. */
  get inFlight(): number {
    return this.#counted.size;
  }

  add(lane: ScheduledLane): void {
    this.#lanes.set(lane, { passes: new Set(), baseline: new Baseline(), stalled: false });
  }

  /** Forgets a lane; it gets no turn any more. */
  remove(lane: ScheduledLane): void {
    this.#turns.live.delete(lane);
    this.#turns.later.delete(lane);
    for (const pass of this.#lanes.get(lane)?.passes ?? []) {
      this.#counted.delete(pass);
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
    this.#pause.begin(ms);
  }

  #pump(): void {
    if (this.#pause.isOn || !this.#inSlice()) {
      return;
    }
    for (const priority of ['live', 'later'] as const) {
      for (const lane of this.#turns[priority]) {
        if (this.#counted.size >= this.#limit.value || !this.#inSlice()) {
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
    const share = Math.max(laneFloor, this.#limit.value * laneShare);
    if (state.passes.size >= share + (state.stalled ? stalledExtra : 0)) {
      // Its next pass that ends gives it its turn again.
      return false;
    }
    const pass: PassUnderWay = new PassUnderWay({
      clock: this.#clock,
      onWait: () => {
        this.#count(lane, state, pass);
        if (state.stalled) {
          this.#pump();
        }
      },
      onEnd: (result) => {
        this.#ended(lane, state, pass, result);
      },
    });
    state.passes.add(pass);
    this.#count(lane, state, pass);
    if (lane.begin(priority, pass)) {
      this.#checkOverdue();
      return true;
    }
    state.passes.delete(pass);
    this.#counted.delete(pass);
    return false;
  }

  #count(lane: ScheduledLane, { stalled }: LaneState, pass: PassUnderWay): void {
    if ((pass.waitsForSource || !stalled) && this.#lanes.has(lane)) {
      this.#counted.add(pass);
    } else {
      this.#counted.delete(pass);
    }
  }

  #ended(lane: ScheduledLane, state: LaneState, pass: PassUnderWay, { wrote }: PassResult): void {
    if (wrote) {
      const { waitedMs } = pass;
      const full = this.#counted.size >= this.#limit.value;
      this.#limit.sample(waitedMs, state.baseline.take(waitedMs, this.#clock.monotonic()), full);
    }
    state.passes.delete(pass);
    this.#counted.delete(pass);
    if (this.#lanes.has(lane)) {
      if (state.stalled) {
        this.#lookForOverdue(lane, state);
      }
      this.#turns.live.add(lane);
      this.#turns.later.add(lane);
    }
    this.#pump();
  }

  #lookForOverdue(lane: ScheduledLane, state: LaneState): void {
    const stalled = state.passes.values().some(({ isOverdue }) => isOverdue);
    if (stalled !== state.stalled) {
      state.stalled = stalled;
      for (const pass of state.passes) {
        this.#count(lane, state, pass);
      }
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
      let busy = false;
      for (const [lane, state] of this.#lanes) {
        this.#lookForOverdue(lane, state);
        if (state.stalled) {
          this.#turns.live.add(lane);
          this.#turns.later.add(lane);
        }
        busy ||= state.passes.size > 0;
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
