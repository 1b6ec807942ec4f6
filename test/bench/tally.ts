import type { RequestCount } from '../sandbox/network/cluster-proxy.ts';
import type { ControlPlane } from '../sandbox/sandbox.ts';

const copyVerbs = new Set(['create', 'update', 'patch', 'delete']);
const syncedResources = new Set(['configmaps', 'secrets']);
const sourceCluster = 'source';

/** Counts of requests, and the questions that cases ask of them. */
export class Tally {
  readonly #rows: readonly RequestCount[];

  constructor(rows: readonly RequestCount[]) {
    this.#rows = rows;
  }

  /** The requests that came after `before`. */
  since(before: Tally): Tally {
    const earlier = new Map(before.#rows.map((row) => [keyOf(row), row]));
    const rows = this.#rows.map((row) => {
      const { requests = 0, failures = 0, bytes = 0 } = earlier.get(keyOf(row)) ?? {};
      return {
        ...row,
        requests: row.requests - requests,
        failures: row.failures - failures,
        bytes: row.bytes - bytes,
      };
    });
    return new Tally(rows.filter(({ requests, bytes }) => requests > 0 || bytes > 0));
  }

  /** Writes of ConfigMaps and Secrets on target clusters, whatever their outcome. */
  copyWrites(...verbs: readonly string[]): number {
    const wanted = verbs.length === 0 ? copyVerbs : new Set(verbs);
    return this.#sum(
      ({ cluster, verb, resource }) =>
        cluster !== sourceCluster && syncedResources.has(resource) && wanted.has(verb),
    );
  }

  /** GETs of single sources in a namespace. */
  sourceReads(namespace: string): number {
    return this.#sum(
      (row) =>
        row.cluster === sourceCluster &&
        row.verb === 'get' &&
        row.namespace === namespace &&
        syncedResources.has(row.resource),
    );
  }

  /** Requests to target clusters, without watches. */
  targetRequests(): number {
    return this.#sum(({ cluster, verb }) => cluster !== sourceCluster && verb !== 'watch');
  }

  byVerb(): Readonly<Record<string, number>> {
    return this.#grouped(({ cluster, verb }) => `${placeOf(cluster)} ${verb}`, 'requests');
  }

  bytesByServer(): Readonly<Record<string, number>> {
    return this.#grouped(({ cluster }) => placeOf(cluster), 'bytes');
  }

  #sum(wanted: (row: RequestCount) => boolean): number {
    return this.#rows.filter(wanted).reduce((sum, { requests }) => sum + requests, 0);
  }

  #grouped(group: (row: RequestCount) => string, value: 'requests' | 'bytes'): Record<string, number> {
    const sums: Record<string, number> = {};
    for (const row of this.#rows) {
      sums[group(row)] = (sums[group(row)] ?? 0) + row[value];
    }
    return Object.fromEntries(Object.entries(sums).sort(([left], [right]) => left.localeCompare(right)));
  }
}

function placeOf(cluster: string): string {
  return cluster === sourceCluster ? sourceCluster : 'targets';
}

function keyOf({ cluster, verb, resource, namespace, metadataOnly }: RequestCount): string {
  return `${cluster} ${verb} ${resource} ${namespace} ${metadataOnly}`;
}

const verbs: Readonly<Record<string, string>> = { POST: 'create', PUT: 'update' };
const counted = /^apiserver_(request_total|response_sizes_sum)\{(.*)\} (\S+)$/;
const label = /(\w+)="([^"]*)"/g;

/** What a control plane itself counted, whoever asked. Bytes are those of answers to reads; it counts no others. */
export async function requestsOfPlane(target: {
  readonly context: string;
  readonly plane: ControlPlane;
}): Promise<readonly RequestCount[]> {
  const { body } = await target.plane.request<string>('GET', '/metrics');
  return parseRequestMetrics(target.context, body);
}

export function parseRequestMetrics(cluster: string, text: string): readonly RequestCount[] {
  const rows = new Map<string, { requests: number; failures: number; bytes: number }>();
  for (const line of text.split('\n')) {
    const [, metric, labelText = '', value] = counted.exec(line) ?? [];
    if (metric === undefined) {
      continue;
    }
    const labels = new Map([...labelText.matchAll(label)].map(([, name = '', given = '']) => [name, given]));
    const subresource = labels.get('subresource') ?? '';
    const resource = (labels.get('resource') ?? '') + (subresource === '' ? '' : `/${subresource}`);
    const method = labels.get('verb') ?? '';
    const key = `${verbs[method] ?? method.toLowerCase()} ${resource}`;
    const row = rows.get(key) ?? { requests: 0, failures: 0, bytes: 0 };
    rows.set(key, row);
    if (metric === 'request_total') {
      row.requests += Number(value);
      row.failures += Number(labels.get('code')) >= 400 ? Number(value) : 0;
    } else {
      row.bytes += Number(value);
    }
  }
  return [...rows].map(([key, row]) => {
    const [verb = '', resource = ''] = key.split(' ');
    return { cluster, verb, resource, namespace: '', metadataOnly: false, ...row };
  });
}
