/**
 * Keys that fail for the same reason, such as a missing namespace. One of them, the scout, is tried again soon; the others
 * wait for it, so that five hundred objects of one missing namespace cost one request at a time. Bounded by the keys of
 * the lane.
 */
export class Obstacles {
  readonly #groups = new Map<string, { readonly scout: string; readonly waiting: Set<string> }>();
  readonly #obstacleOf = new Map<string, string>();

  /**
   * A pass over a key ended, at this obstacle or (undefined) at none. Yields the role of the key, and the keys to look
   * at again at once: those that waited for a scout that found the obstacle gone.
   */
  passed(
    key: string,
    obstacle: string | undefined,
  ): { readonly role: 'scout' | 'waits' | undefined; readonly freed: Iterable<string> } {
    const before = this.#obstacleOf.get(key);
    const freed = before === undefined || before === obstacle ? [] : this.#leave(key, before);
    if (obstacle === undefined) {
      return { role: undefined, freed };
    }
    this.#obstacleOf.set(key, obstacle);
    const group = this.#groups.get(obstacle);
    if (group === undefined) {
      this.#groups.set(obstacle, { scout: key, waiting: new Set() });
      return { role: 'scout', freed };
    }
    if (group.scout === key) {
      return { role: 'scout', freed };
    }
    group.waiting.add(key);
    return { role: 'waits', freed };
  }

  #leave(key: string, obstacle: string): Iterable<string> {
    this.#obstacleOf.delete(key);
    const group = this.#groups.get(obstacle);
    if (group?.scout !== key) {
      group?.waiting.delete(key);
      return [];
    }
    this.#groups.delete(obstacle);
    for (const waiting of group.waiting) {
      this.#obstacleOf.delete(waiting);
    }
    return group.waiting;
  }
}
