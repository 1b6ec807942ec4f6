/** One of several Leases that candidates share out, as one of them sees it. */
export interface SharedLease {
  /** Who holds it; undefined while it is free: released, abandoned, or never held. */
  readonly holder: string | undefined;
  /** Who asked its holder for it. */
  readonly wantedBy: string | undefined;
}

/** What a candidate does next. All empty: its share is fair. */
export interface ShareStep {
  /** Free Leases to try in this order, until `takeAtMost` are held. */
  readonly take: readonly number[];
  readonly takeAtMost: number;
  /** Leases of others to ask for. */
  readonly ask: readonly number[];
}

/**
 * The next step of the candidate `me` towards a fair share: as many Leases for each candidate as for any other, or one
 * more. Candidates know each other from the Leases alone: who holds one or asked for one is there. That is enough,
 * because only a candidate that has nothing to ask for is unseen.
 *
 * A candidate that holds nothing takes one first, so that those who start together see each other before they take
 * more. It asks another for a Lease only if it has two fewer, so that a fair share never moves.
 */
export function fairShareStep(leases: readonly SharedLease[], me: string): ShareStep {
  const counts = new Map([[me, 0]]);
  const free: number[] = [];
  for (const [index, { holder, wantedBy }] of leases.entries()) {
    if (holder === undefined) {
      free.push(index);
    } else {
      // A Lease that was asked for is about to pass on.
      const next = wantedBy ?? holder;
      counts.set(next, (counts.get(next) ?? 0) + 1);
    }
  }
  const mine = counts.get(me) ?? 0;
  if (free.length > 0) {
    const share = mine === 0 ? 1 : Math.ceil(leases.length / counts.size);
    return { take: free, takeAtMost: Math.max(0, share - mine), ask: [] };
  }
  return { take: [], takeAtMost: 0, ask: toAskFor(leases, me, counts) };
}

/** Always of the candidate that has most among those that can be asked. */
function toAskFor(
  leases: readonly SharedLease[],
  me: string,
  counts: Map<string, number>,
): readonly number[] {
  const ask: number[] = [];
  const askable = new Set(leases.flatMap(({ wantedBy }, index) => (wantedBy === undefined ? [index] : [])));
  const has = (candidate = ''): number => counts.get(candidate) ?? 0;
  for (;;) {
    const [index] = [...askable].toSorted((a, b) => has(leases[b]?.holder) - has(leases[a]?.holder));
    const holder = index === undefined ? undefined : leases[index]?.holder;
    if (index === undefined || holder === undefined || has(holder) < has(me) + 2) {
      return ask;
    }
    ask.push(index);
    askable.delete(index);
    counts.set(holder, has(holder) - 1);
    counts.set(me, has(me) + 1);
  }
}
