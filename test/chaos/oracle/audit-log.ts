import { createReadStream } from 'node:fs';
import { property, trustedJson } from '../../sandbox/json.ts';
import { userPrefix } from '../access.ts';
import type { ApiObject } from '../api-object.ts';

/** A write as an API server logged it. */
export interface LoggedWrite {
  readonly verb: 'create' | 'update' | 'patch' | 'delete' | 'deletecollection';
  readonly user: string;
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
  readonly status: number;
  /** Milliseconds since the Unix epoch. */
  readonly receivedAt: number;
  readonly answeredAt: number;
  readonly request: unknown;
  /** What stands after it, where the API server told. */
  readonly stored: ApiObject | undefined;
}

interface AuditEvent {
  readonly stage: string;
  readonly verb: string;
  readonly requestURI: string;
  readonly user: { readonly username: string };
  readonly objectRef?: { readonly resource: string; readonly namespace?: string; readonly name?: string };
  readonly responseStatus?: { readonly code?: number };
  readonly requestObject?: unknown;
  readonly responseObject?: unknown;
  readonly requestReceivedTimestamp: string;
  readonly stageTimestamp: string;
}

const verbs = ['create', 'update', 'patch', 'delete', 'deletecollection'] as const;

/** Reads an audit log from where it was read to before. */
export class AuditLog {
  readonly #file: string;
  #offset = 0;

  constructor(file: string) {
    this.#file = file;
  }

  /** The writes since the last call, in the log's order. Dry runs are none. */
  async writes(): Promise<readonly LoggedWrite[]> {
    const writes: LoggedWrite[] = [];
    let rest: Buffer = Buffer.alloc(0);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a stream without an encoding yields buffers
    for await (const chunk of createReadStream(this.#file, {
      start: this.#offset,
    }) as AsyncIterable<Buffer>) {
      rest = Buffer.concat([rest, chunk]);
      for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
        const write = writeIn(rest.subarray(0, end).toString('utf8'));
        writes.push(...(write === undefined ? [] : [write]));
        this.#offset += end + 1;
        rest = rest.subarray(end + 1);
      }
    }
    return writes;
  }
}

export function isController({ user }: Pick<LoggedWrite, 'user'>): boolean {
  return user.startsWith(userPrefix);
}

function writeIn(line: string): LoggedWrite | undefined {
  let event: AuditEvent;
  try {
    event = trustedJson<AuditEvent>(line);
  } catch {
    // A server was killed in the middle of a line, and the next one went on behind it.
    return undefined;
  }
  const verb = verbs.find((known) => known === event.verb);
  const { objectRef, responseObject } = event;
  if (
    event.stage !== 'ResponseComplete' ||
    verb === undefined ||
    objectRef === undefined ||
    event.requestURI.includes('dryRun=')
  ) {
    return undefined;
  }
  const stored = isObject(responseObject) ? responseObject : undefined;
  return {
    verb,
    user: event.user.username,
    resource: objectRef.resource,
    namespace: objectRef.namespace ?? '',
    name: objectRef.name ?? stored?.metadata.name ?? '',
    status: event.responseStatus?.code ?? 0,
    receivedAt: Date.parse(event.requestReceivedTimestamp),
    answeredAt: Date.parse(event.stageTimestamp),
    request: event.requestObject,
    stored,
  };
}

function isObject(value: unknown): value is ApiObject {
  return (
    property(value, 'kind') !== 'Status' &&
    typeof property(property(value, 'metadata'), 'resourceVersion') === 'string'
  );
}
