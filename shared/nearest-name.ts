/** Differences that still count as a slip; a third of the letters, but at least two, in short names. */
const maxDistance = 4;
const minDistance = 2;
/**
 * What all suggestions of one review may cost: a step is the comparison of two letters. Anyone who may annotate an object chooses
 * the names, and a kubeconfig can hold thousands. Measured: 0.3 to 1 ms, below 5 ms beside other load.
 */
const suggestionSteps = 400_000;
/** What a cell of the table of distances costs, in steps. */
const cellSteps = 10;

/**
 * The candidate that `name` was probably meant to be, or undefined when none is near. Case and dashes do not count, so
 * that `cluster-name`, `clustername` and `clusterName` are the same.
 */
export function nearestName(name: string, candidates: readonly string[]): string | undefined {
  return new NearestNames(candidates).of(name);
}

export interface NearestNamesOptions {
  /** The plain forms of candidates where they are known already: for hundreds, making them is most of the work. */
  readonly plainNames?: ReadonlyMap<string, string> | undefined;
  readonly steps?: number;
}

/**
 * Finds the nearest of the same candidates for several names. All names together cost a bounded number of steps; once they are
 * used up, no name has a nearest one, so that equal questions in equal order have equal answers.
 */
export class NearestNames {
  readonly #candidates: readonly string[];
  readonly #plainNames: ReadonlyMap<string, string> | undefined;
  readonly #rows = [newRow(), newRow(), newRow()] as const;
  #steps: number;

  constructor(
    candidates: readonly string[],
    { plainNames, steps = suggestionSteps }: NearestNamesOptions = {},
  ) {
    this.#candidates = candidates;
    this.#plainNames = plainNames;
    this.#steps = steps;
  }

  /** Never negative. */
  get stepsLeft(): number {
    return this.#steps;
  }

  /** As `nearestName`; undefined, too, when the steps do not suffice to compare all candidates. */
  of(name: string): string | undefined {
    const wanted = plainName(name);
    let limit = Math.min(maxDistance, Math.max(minDistance, Math.ceil(wanted.length / 3)));
    let nearest: string | undefined;
    for (const candidate of this.#candidates) {
      // A look at the lengths is a step, too.
      if (!this.#spend(1)) {
        return undefined;
      }
      const plain = this.#plainNames?.get(candidate) ?? plainName(candidate);
      if (Math.abs(wanted.length - plain.length) > limit) {
        continue;
      }
      const distance = this.#editDistance(...this.#withoutEqualEnds(wanted, plain), limit);
      if (distance <= limit) {
        nearest = candidate;
        limit = distance - 1;
      }
      if (limit < 0) {
        break;
      }
    }
    return this.#steps > 0 ? nearest : undefined;
  }

  /** False when there are not as many steps: none are left then. */
  #spend(steps: number): boolean {
    this.#steps = Math.max(0, this.#steps - steps);
    return this.#steps > 0;
  }

  /** Equal beginnings and ends do not change the distance, and names of contexts have much in common. */
  #withoutEqualEnds(from: string, to: string): readonly [string, string] {
    const shorter = Math.min(from.length, to.length, this.#steps);
    let start = 0;
    while (start < shorter && from.charCodeAt(start) === to.charCodeAt(start)) {
      start++;
    }
    let end = 0;
    while (
      end < shorter - start &&
      from.charCodeAt(from.length - 1 - end) === to.charCodeAt(to.length - 1 - end)
    ) {
      end++;
    }
    this.#spend(start + end);
    return [from.slice(start, from.length - end), to.slice(start, to.length - end)];
  }

  /**
   * Insertions, deletions, replacements and swaps of neighbours that turn `from` into `to` (optimal string alignment);
   * infinite when there are more than `limit`. Of each row of the table only the cells within `limit` of the diagonal are
   * computed: those that so few differences can reach. Cell `band` of a row is column `row + band - limit`.
   */
  #editDistance(from: string, to: string, limit: number): number {
    const width = 2 * limit + 1;
    const far = limit + 1;
    let [beforeLast, last, current] = this.#rows;
    beforeLast.fill(far);
    current.fill(far);
    last.fill(far);
    for (let band = limit; band < width; band++) {
      last[band] = band - limit;
    }
    for (let row = 1; row <= from.length; row++) {
      if (!this.#spend(width * cellSteps)) {
        return Infinity;
      }
      const letter = from.charCodeAt(row - 1);
      let least = far;
      for (let band = 0; band < width; band++) {
        const column = row + band - limit;
        let cell = far;
        if (column >= 0 && column <= to.length) {
          cell = Math.min((last[band + 1] ?? far) + 1, band > 0 ? (current[band - 1] ?? far) + 1 : far, far);
          if (column > 0) {
            const other = to.charCodeAt(column - 1);
            cell = Math.min(cell, (last[band] ?? far) + (letter === other ? 0 : 1));
            if (
              row > 1 &&
              column > 1 &&
              letter === to.charCodeAt(column - 2) &&
              from.charCodeAt(row - 2) === other
            ) {
              cell = Math.min(cell, (beforeLast[band] ?? far) + 1);
            }
          }
        }
        current[band] = cell;
        least = Math.min(least, cell);
      }
      if (least > limit) {
        return Infinity;
      }
      [beforeLast, last, current] = [last, current, beforeLast];
    }
    return last[to.length - from.length + limit] ?? far;
  }
}

/** A row of the table of distances, and a cell behind it. */
function newRow(): Uint8Array {
  return new Uint8Array(2 * maxDistance + 2);
}

/** The form in which names are compared. */
export function plainName(name: string): string {
  return name.replaceAll('-', '').toLowerCase();
}
