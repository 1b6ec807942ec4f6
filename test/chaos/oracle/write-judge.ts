import { property } from '../../sandbox/json.ts';
import type { ApiObject } from '../api-object.ts';
import type { History } from '../history.ts';
import { type Kind, ownNamespace, type Place, placeKey } from '../slots.ts';
import { isController, type LoggedWrite } from './audit-log.ts';
import { isReplacement, type TakenCopy, unjustified } from './deletion.ts';
import { originOf, ownerOf } from './marks.ts';

/** The cluster that a write went to. */
export interface JudgedCluster {
  /** 0 is the source. */
  readonly number: number;
  readonly name: string;
  /** When its data was replaced, by our clock: versions before and after do not compare. */
  readonly resets: readonly number[];
}

/** What stood under a name, version by version; undefined is a deletion. */
type Timeline = { readonly at: number; readonly object: ApiObject | undefined }[];

/** The latest version of a source that a copy was given. */
interface Given {
  readonly uid: string;
  readonly version: number;
  readonly at: number;
}

/** Judges every single write, in the order of its cluster. Writes of others tell it what stood before those of controllers. */
export class WriteJudge {
  readonly #history: History;
  readonly #sourceUid: () => string;
  readonly #isOfOld: (write: LoggedWrite) => boolean;
  readonly #timelines = new Map<string, Timeline>();
  readonly #given = new Map<string, Given>();
  readonly #sourceUids = new Set<string>();
  /** When we, as operators, released trips. */
  readonly releases: number[] = [];
  #writes = 0;

  /**
   * @param sourceUid the identity of the source cluster at present
   * @param isOfOld whether a program before this one made the write, which is then not judged
   */
  constructor(
    history: History,
    sourceUid: () => string,
    isOfOld: (write: LoggedWrite) => boolean = () => false,
  ) {
    this.#history = history;
    this.#sourceUid = sourceUid;
    this.#isOfOld = isOfOld;
  }

  /** How many writes of controllers were judged. */
  get writes(): number {
    return this.#writes;
  }

  /** What is wrong with a write, as sentences. */
  judge(cluster: JudgedCluster, write: LoggedWrite): readonly string[] {
    this.#sourceUids.add(this.#sourceUid());
    const problems: string[] = [];
    const say = (problem: string): void => {
      problems.push(`${cluster.name}: ${describeWrite(write)} ${problem}`);
    };
    const kind = kindOf(write.resource);
    const isOurs = isController(write) && !this.#isOfOld(write);
    this.#writes += isOurs && write.status < 300 ? 1 : 0;
    if (isOurs && cluster.number === 0) {
      if (write.resource !== 'events' && write.namespace !== ownNamespace) {
        say('is a write to the source');
      }
    } else if (isOurs && kind === undefined && write.status < 300) {
      say('is neither of a ConfigMap nor of a Secret');
    }
    if (cluster.number !== 0 && kind !== undefined && write.status < 300) {
      const place = { kind, namespace: write.namespace, name: write.name };
      if (isOurs) {
        this.#judgeOurs(cluster, place, write, say);
      }
      this.#timeline(cluster, place).push({
        at: write.answeredAt,
        object:
          write.verb === 'delete' && write.stored?.metadata.deletionTimestamp === undefined
            ? undefined
            : write.stored,
      });
    }
    return problems;
  }

  #judgeOurs(cluster: JudgedCluster, place: Place, write: LoggedWrite, say: (problem: string) => void): void {
    if (write.verb !== 'create') {
      const version = versionNamed(write);
      if (version === undefined) {
        say('names no version that it is about');
        return;
      }
      const before = this.#before(cluster, place, version);
      if (before !== undefined) {
        if (!this.#isOurs(before)) {
          say(`changes what is not ours: ${JSON.stringify(before.metadata)}`);
        } else {
          this.#judgeTaking(cluster, place, before, write, say);
        }
      }
    }
    if (write.stored !== undefined && write.verb !== 'delete') {
      this.#judgeVersion(cluster, place, write.stored, write.answeredAt, say);
    }
  }

  /** A deletion, and a copy that passes to another source, need the same reason. */
  #judgeTaking(
    cluster: JudgedCluster,
    place: Place,
    copy: ApiObject,
    write: LoggedWrite,
    say: (problem: string) => void,
  ): void {
    const history = this.#history;
    const taken: TakenCopy = {
      cluster: cluster.number,
      place,
      copy,
      at: write.answeredAt,
      releases: this.releases,
    };
    const [before, after] = [originOf(copy), write.stored === undefined ? undefined : originOf(write.stored)];
    const passes =
      write.verb !== 'delete' &&
      after !== undefined &&
      (before?.name !== after.name || before.namespace !== after.namespace);
    if (
      (passes || (write.verb === 'delete' && !isReplacement(taken, history))) &&
      before?.clusterUID === this.#sourceUid()
    ) {
      const problem = unjustified(taken, history);
      if (problem !== undefined) {
        say(`${passes ? 'hands over' : 'deletes'} a copy, but ${problem}`);
      }
    }
  }

  #judgeVersion(
    cluster: JudgedCluster,
    place: Place,
    copy: ApiObject,
    at: number,
    say: (problem: string) => void,
  ): void {
    const origin = originOf(copy);
    if (origin === undefined) {
      return;
    }
    const key = `${cluster.number} ${placeKey(place)}`;
    const version = Number(origin.resourceVersion);
    const before = this.#given.get(key);
    const history = this.#history;
    const compares =
      before?.uid === origin.uid &&
      history.epochAt(before.at) === history.epochAt(at) &&
      history.versionsCount(at) &&
      history.versionsCount(before.at) &&
      !cluster.resets.some((reset) => reset >= before.at && reset <= at);
    if (compares && version < before.version) {
      say(`gives a copy version ${version} of its source, after ${before.version} stood`);
      return;
    }
    this.#given.set(key, { uid: origin.uid, version, at });
  }

  #isOurs(object: ApiObject): boolean {
    return [...this.#sourceUids].some((uid) => ownerOf(object, uid, undefined) !== 'foreign');
  }

  /** What stood at a version; undefined where the log does not tell. */
  #before(cluster: JudgedCluster, place: Place, version: string): ApiObject | undefined {
    return this.#timeline(cluster, place).findLast(
      ({ object }) => object?.metadata.resourceVersion === version,
    )?.object;
  }

  #timeline(cluster: JudgedCluster, place: Place): Timeline {
    const key = `${cluster.number} ${placeKey(place)}`;
    const timeline = this.#timelines.get(key) ?? [];
    this.#timelines.set(key, timeline);
    return timeline;
  }
}

/** The version that an update or a delete says it is about; undefined where it would change any. */
function versionNamed({ verb, request }: LoggedWrite): string | undefined {
  const named =
    verb === 'delete'
      ? property(request, 'preconditions')
      : verb === 'update'
        ? property(request, 'metadata')
        : undefined;
  const version = property(named, 'resourceVersion');
  return typeof property(named, 'uid') === 'string' && typeof version === 'string' ? version : undefined;
}

function kindOf(resource: string): Kind | undefined {
  return resource === 'configmaps' ? 'ConfigMap' : resource === 'secrets' ? 'Secret' : undefined;
}

/** One line for people. */
export function describeWrite({
  user,
  verb,
  resource,
  namespace,
  name,
  status,
  answeredAt,
}: LoggedWrite): string {
  const time = new Date(answeredAt).toISOString().slice(11, 23);
  return `${time} ${user} ${verb} ${resource} ${namespace}/${name.slice(0, 20)} ${status}`;
}
