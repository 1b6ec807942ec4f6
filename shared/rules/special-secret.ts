import type { SyncedKindName } from '../synced-kind.ts';
import type { Rule } from './subject.ts';

/** Secrets whose meaning is tied to the cluster they live in, with what they are, for people. */
const specialTypes: ReadonlyMap<string, string> = new Map([
  ['kubernetes.io/service-account-token', 'a service account token'],
  ['bootstrap.kubernetes.io/token', 'a bootstrap token'],
  ['helm.sh/release.v1', 'a Helm release'],
]);

/** Whether objects of this kind and type never travel. */
export function isSpecial(kind: SyncedKindName, type: string | undefined): boolean {
  return kind === 'Secret' && type !== undefined && specialTypes.has(type);
}

/** Credentials and bookkeeping of one cluster mean nothing, or too much, in another. */
export const specialSecret: Rule = ({ kind, type }) => {
  const what = kind === 'Secret' && type !== undefined ? specialTypes.get(type) : undefined;
  return what === undefined
    ? []
    : [
        {
          reason: 'SpecialSecret',
          stops: 'object',
          message: `A Secret of type ${type} is ${what} of this cluster and is never copied; remove the annotation.`,
          contexts: [],
        },
      ];
};
