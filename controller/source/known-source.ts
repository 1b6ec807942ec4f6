import type { ObjectMeta } from '../../shared/kube/object.ts';
import type { Logger } from '../../shared/logger.ts';
import type { SyncedKindName } from '../../shared/synced-kind.ts';

/** An object that is written all the time, at the latest version that was seen of it. */
interface Mark {
  readonly uid: string;
  readonly version: number;
}

/**
 * What a process knows of its source cluster from one term of leadership to the next: which cluster it is, and the
 * versions that it has reached.
 */
export class KnownSource {
  /**
   * The highest resourceVersion that lists and events showed of each kind. Versions of two kinds say nothing of each
   * other: API servers can keep them in different etcds.
   */
  readonly versions = new Map<SyncedKindName, number>();
  readonly #server: string;
  readonly #logger: Logger;
  readonly #onBack: () => void;
  #uid: string | undefined;
  #otherUid: string | undefined;
  #timesOther = 0;
  #mark: Mark | undefined;
  #flowSchema: string | undefined;
  #restored = false;
  #onRestored: (() => void) | undefined;
  #onOther: (() => void) | undefined;

  /**
   * `server`: the address of the source cluster, for messages. `onBack`: called when the source cluster answers there
   * again after another one did, before anything else learns of it: standing connections can still lead to the other one.
   */
  constructor(server: string, logger: Logger, onBack: () => void = () => undefined) {
    this.#server = server;
    this.#logger = logger;
    this.#onBack = onBack;
  }

  /** The uid of its kube-system; undefined before it answered for the first time. */
  get uid(): string | undefined {
    return this.#uid;
  }

  /**
   * Takes the uid of kube-system, as the API server gave it a moment ago. The first one is the source's for as long as
   * the process lives; true where it is that one.
   */
  recognise(uid: string): boolean {
    this.#uid ??= uid;
    const other = uid === this.#uid ? undefined : uid;
    if (other === this.#otherUid) {
      return other === undefined;
    }
    this.#otherUid = other;
    const fields = { server: this.#server, uid: this.#uid, answeringUid: uid };
    if (other === undefined) {
      this.#onBack();
      this.#logger.info('source cluster answers at its address again', fields);
    } else {
      this.#logger.error('another cluster answers at the address of the source cluster', {
        ...fields,
        hint: this.problem,
      });
      this.#timesOther += 1;
      this.#onOther?.();
    }
    return other === undefined;
  }

  /** Takes the uid of the FlowSchema that classified a request which the source cluster, and no other, has answered. */
  noteFlowSchema(uid: string | undefined): void {
    this.#flowSchema = uid;
  }

  /** An answer with this FlowSchema is the source cluster's: FlowSchemas are objects, so another cluster has others. */
  answersWith(flowSchema: string | undefined): boolean {
    return flowSchema !== undefined && flowSchema === this.#flowSchema && this.#otherUid === undefined;
  }

  /** The source cluster has reached this version of a kind. */
  noteVersion(kind: SyncedKindName, resourceVersion: string | undefined): void {
    this.versions.set(kind, Math.max(this.versions.get(kind) ?? 0, Number(resourceVersion) || 0));
  }

  /**
   * What is known of the mark, the Lease of the leader: it is written every few seconds, so that nearly every restore
   * takes it back. Taken before it is read, see `seeMark`.
   */
  get mark(): Mark | undefined {
    return this.#mark;
  }

  /** Takes the mark as an answer has it. `before`: `mark` as it was when the request was sent; other answers may overtake it. */
  seeMark({ uid = '', resourceVersion }: ObjectMeta, before: Mark | undefined): void {
    const version = Number(resourceVersion) || 0;
    if (before?.uid === uid && version < before.version) {
      this.#mark = { uid, version };
      this.#restored = this.#onRestored === undefined;
      this.#onRestored?.();
    } else if (this.#mark?.uid !== uid || version > this.#mark.version) {
      this.#mark = { uid, version };
    }
  }

  /** Reports restores of the source cluster to a term of leadership, also one that was seen before it began. */
  onRestored(listener: (() => void) | undefined): void {
    this.#onRestored = listener;
    if (this.#restored && listener !== undefined) {
      this.#restored = false;
      listener();
    }
  }

  /** How many times another cluster came to answer at the source's address. */
  get timesOther(): number {
    return this.#timesOther;
  }

  /**
   * Reports to a term of leadership that another cluster answers at the source's address, also where one does already or did
   * since `timesOther` had this value.
   */
  onOther(listener: () => void, since = this.#timesOther): void {
    this.#onOther = listener;
    if (this.#otherUid !== undefined || this.#timesOther !== since) {
      listener();
    }
  }

  /** Reports to nobody any more. */
  forgetOnOther(): void {
    this.#onOther = undefined;
  }

  /** What is wrong and what to do, as a sentence, while another cluster answers at the source's address. */
  get problem(): string | undefined {
    return this.#otherUid === undefined
      ? undefined
      : `${this.#server} is another cluster (uid ${this.#otherUid}) than the source cluster of this process (uid ${this.#uid}), so nothing is written: correct the kubeconfig or the address; if the source cluster was rebuilt, restart the controller, with --take-over-from-uid=${this.#uid} if its copies are to be taken over`;
  }
}
