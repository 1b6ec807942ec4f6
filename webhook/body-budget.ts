/** What one body holds. */
export interface BodyShare {
  /** Sets what it holds now, in bytes. Can cut bodies, also this one. */
  hold(bytes: number): void;
  /** It holds nothing any more; more than once does no harm. */
  end(): void;
}

interface Body {
  readonly cut: () => void;
  bytes: number;
}

/**
 * Bounds the memory of all bodies that are being received. Bytes count when they have arrived, whatever was announced.
 * When there are too many, the body that began first is cut: one of an API server is there within milliseconds, so that
 * is the one of a client that holds back the rest.
 */
export class BodyBudget {
  readonly #maxBytes: number;
  /** In the order in which they began. */
  readonly #bodies = new Set<Body>();
  #held = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Bytes held at present. */
  get bytesHeld(): number {
    return this.#held;
  }

  /** A body begins to arrive; `cut` is called when it must not be received any more, and holds nothing. */
  enter(cut: () => void): BodyShare {
    const body: Body = { cut, bytes: 0 };
    this.#bodies.add(body);
    return {
      hold: (bytes) => {
        if (this.#bodies.has(body)) {
          this.#held += bytes - body.bytes;
          body.bytes = bytes;
          this.#makeRoom();
        }
      },
      end: () => {
        this.#end(body);
      },
    };
  }

  #makeRoom(): void {
    for (const body of this.#bodies) {
      if (this.#held <= this.#maxBytes) {
        return;
      }
      this.#end(body);
      body.cut();
    }
  }

  #end(body: Body): void {
    if (this.#bodies.delete(body)) {
      this.#held -= body.bytes;
    }
  }
}
