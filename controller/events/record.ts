import type { Random } from '../../shared/clock.ts';
import type { KubeObject } from '../../shared/kube/object.ts';
import { apiVersion, events } from '../../shared/kube/resource.ts';

/** The object that an Event is about. */
export interface EventSubject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion?: string | undefined;
}

export interface EventNote {
  readonly object: EventSubject;
  readonly type: 'Normal' | 'Warning';
  /** UpperCamelCase and constant, at most 128 characters. */
  readonly reason: string;
  /** For people; cut to 1024 bytes. No payload of users' objects. */
  readonly message: string;
}

/** A core/v1 Event, which `kubectl describe` shows and `kubectl get events` counts. */
export interface KubeEvent extends KubeObject {
  readonly involvedObject: Readonly<Record<string, string>>;
  readonly reason: string;
  readonly message: string;
  readonly type: string;
  readonly source: { readonly component: string; readonly host: string };
  readonly reportingComponent: string;
  readonly reportingInstance: string;
  readonly firstTimestamp: string;
  readonly lastTimestamp: string;
  readonly count: number;
}

/** The limit of API servers for an Event's message, in bytes. */
const maxMessageBytes = 1_024;
/** The limit for names of objects, in characters. */
const maxNameLength = 253;

/** Equal notes make one Event with a count. */
export function noteKey({ object, type, reason, message }: EventNote): string {
  return JSON.stringify([object.uid, object.namespace, object.name, type, reason, message]);
}

/** `<name>.<16 hex digits>`, a valid name of an object. */
export function eventName(name: string, random: Random): string {
  const suffix = Array.from({ length: 4 }, () =>
    Math.floor(random() * 0x1_0000)
      .toString(16)
      .padStart(4, '0'),
  ).join('');
  // A name may not end in a dot or dash before the dot that follows.
  const kept = name.slice(0, maxNameLength - suffix.length - 1).replace(/[^a-z0-9]+$/, '');
  return `${kept}.${suffix}`;
}

/** The format of times in core/v1: RFC 3339 with whole seconds. `now` in epoch milliseconds. */
export function eventTime(now: number): string {
  return new Date(now).toISOString().replace(/\.\d+Z$/, 'Z');
}

/**
 * The message cut to `maxBytes` of UTF-8: after a sentence if one ends in the second half, else between two
 * characters, with an ellipsis.
 */
export function cutMessage(message: string, maxBytes = maxMessageBytes): string {
  const whole = message.toWellFormed();
  const encoder = new TextEncoder();
  if (encoder.encode(whole).length <= maxBytes) return whole;
  const ellipsis = '…';
  const room = maxBytes - encoder.encode(ellipsis).length;
  // encodeInto stops before a character that does not fit.
  const { read } = encoder.encodeInto(whole, new Uint8Array(room));
  const head = whole.slice(0, read);
  const sentence = Math.max(head.lastIndexOf('. '), head.lastIndexOf('; '), head.lastIndexOf('\n'));
  return (sentence >= head.length / 2 ? `${head.slice(0, sentence + 1).trimEnd()} ` : head) + ellipsis;
}

export interface Reporter {
  readonly component: string;
  readonly instance: string;
}

/** The Event for a note that was made `count` times between these epoch milliseconds. */
export function newEvent(
  name: string,
  note: EventNote,
  reporter: Reporter,
  seen: { readonly first: number; readonly last: number; readonly count: number },
): KubeEvent {
  const { object, type, reason, message } = note;
  return {
    apiVersion: apiVersion(events),
    kind: events.kind,
    metadata: { namespace: eventNamespace(object), name },
    involvedObject: {
      apiVersion: object.apiVersion,
      kind: object.kind,
      namespace: object.namespace,
      name: object.name,
      uid: object.uid,
      ...(object.resourceVersion === undefined ? {} : { resourceVersion: object.resourceVersion }),
    },
    reason,
    message,
    type,
    source: { component: reporter.component, host: reporter.instance },
    reportingComponent: reporter.component,
    reportingInstance: reporter.instance,
    firstTimestamp: eventTime(seen.first),
    lastTimestamp: eventTime(seen.last),
    count: seen.count,
  };
}

/** Events of objects without a namespace live in `default`, as API servers demand. */
export function eventNamespace(object: EventSubject): string {
  return object.namespace === '' ? 'default' : object.namespace;
}
