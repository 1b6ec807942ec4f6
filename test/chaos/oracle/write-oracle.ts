import type { Cluster, World } from '../world.ts';
import { AuditLog, isController, type LoggedWrite } from './audit-log.ts';
import { describeWrite, WriteJudge } from './write-judge.ts';

interface Judged {
  readonly write: LoggedWrite;
  readonly cluster: Cluster;
  readonly problems: readonly string[];
}

/** Judges the writes that the API servers' audit logs hold. */
export class WriteOracle {
  readonly #world: World;
  readonly #logs: ReadonlyMap<number, AuditLog>;
  readonly #judge: WriteJudge;

  constructor(world: World) {
    this.#world = world;
    this.#judge = new WriteJudge(
      world.history,
      () => world.sourceUid,
      (write) => world.isOfOld(write),
    );
    this.#logs = new Map(
      world.clusters.map(({ number, plane }) => [number, new AuditLog(plane.auditLogFile)]),
    );
  }

  /** How many writes of controllers were judged. */
  get writes(): number {
    return this.#judge.writes;
  }

  /** We, as operators, release a trip now. */
  noteRelease(): void {
    this.#judge.releases.push(Date.now());
  }

  /** What was wrong with the writes since the last call. */
  async violations(): Promise<readonly string[]> {
    return (await this.#read()).flatMap(({ problems }) => problems);
  }

  /** Writes of controllers since the last call that changed anything but a Lease, as text; and what was wrong with them. */
  async changes(): Promise<{ readonly changes: readonly string[]; readonly problems: readonly string[] }> {
    const read = await this.#read();
    const changes = read
      .filter(({ write }) => isController(write) && write.status < 300 && write.resource !== 'leases')
      .map(({ write, cluster }) => `${cluster.plane.name}: ${describeWrite(write)}`);
    return { changes, problems: read.flatMap(({ problems }) => problems) };
  }

  async #read(): Promise<readonly Judged[]> {
    const judged = await Promise.all(
      this.#world.clusters.map(async (cluster) => {
        const { number, plane, resets } = cluster;
        const writes = (await this.#logs.get(number)?.writes()) ?? [];
        return writes.map((write) => ({
          write,
          cluster,
          problems: this.#judge.judge({ number, name: plane.name, resets }, write),
        }));
      }),
    );
    return judged.flat();
  }
}
