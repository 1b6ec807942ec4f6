import type { EventReason } from '../../controller/observe/event-reason.ts';
import type { Outcome } from '../../controller/reconcile/outcome.ts';
import type { Keys } from '../../shared/keys.ts';
import type { Effect } from '../../shared/rules/violation.ts';
import type { RefusalReason } from '../../webhook/review.ts';

/** What the reference says of an Event's reason. */
export interface EventExplanation {
  readonly says: string;
  readonly action: string;
}

/** In the order of the reference. */
export const events: Readonly<Record<EventReason, EventExplanation>> = {
  InvalidSyncContexts: {
    says: 'every [rule](#rules) that the list breaks; its valid contexts are served',
    action: 'correct the annotation',
  },
  ContextUnavailable: {
    says: 'a listed context cannot be used, or its cluster was never reached, or does not say which one it is',
    action: 'correct the kubeconfig or the network, or grant the right that is named',
  },
  TargetUnreachable: {
    says: 'the cluster does not answer, or refuses the credentials',
    action: 'nothing, or renew the credentials; the copy follows',
  },
  TargetListFailed: {
    says: 'the copies in the cluster cannot be listed, so nothing is written there',
    action: "see the controller's log; it is tried again",
  },
  TargetForbidden: {
    says: 'rights are missing on the target, or its policies refuse the write',
    action: 'grant the [rights](security.md#rights)',
  },
  TargetRefused: {
    says: 'the API server finds the object invalid or too large; its field names follow',
    action: 'see the fields',
  },
  TargetFailed: {
    says: 'the API server failed; it is tried again',
    action: 'see the target',
  },
  NamespaceNotFound: {
    says: 'the namespace does not exist on the target',
    action: 'create it',
  },
  NamespaceTerminating: {
    says: 'the namespace is being deleted on the target',
    action: 'wait, or create it again',
  },
  Unowned: {
    says: 'something that is not our copy has the name',
    action: 'delete or rename it there',
  },
  ClaimedByOther: {
    says: 'another source has this object',
    action: 'rename one of the two',
  },
  SpecialSecret: {
    says: "the Secret's type does not travel",
    action: 'remove the annotation',
  },
  CopyTerminating: {
    says: 'the copy is being deleted, and finalizers hold it',
    action: 'remove the finalizers if whatever set them is gone; the copy is created again',
  },
  Contested: {
    says: 'something on the target keeps changing the copy; repairs become rarer, up to 5 minutes apart',
    action: 'find out what it is',
  },
  DeletionHeld: {
    says: 'copies are no longer wanted, and the mass-deletion guard stopped deletion',
    action: 'see [mass-deletion guard](operations.md#mass-deletion-guard)',
  },
  SyncIgnored: {
    says: "the object carries Kubed's `sync` annotation, which is not acted upon",
    action: 'use `sync-contexts`, or remove it',
  },
  Recovered: {
    says: 'one of these problems ended (the only Event of type Normal)',
    action: '',
  },
};

/** What makes an annotated object wrong, and what of it is not served. */
export const rules: Readonly<
  Record<RefusalReason, { readonly refused: string; readonly stops: Effect | '' }>
> = {
  EmptyList: { refused: 'a list without a name', stops: 'object' },
  EmptyName: { refused: 'an empty entry between commas', stops: 'nothing' },
  ListTooLong: { refused: 'a list with more than 2,000 entries', stops: 'object' },
  UnknownContext: { refused: 'a name that is not a context of the kubeconfig', stops: 'contexts' },
  SameCluster: { refused: 'two contexts of one cluster, under any name or address', stops: 'creation' },
  SourceCluster: { refused: 'a context that leads to the source cluster', stops: 'contexts' },
  ContextNotAllowed: { refused: 'a context that the policies do not allow', stops: 'contexts' },
  SystemNamespace: {
    refused: "an object of `kube-*` or of the program's own namespace",
    stops: 'object',
  },
  TargetNamespace: {
    refused: "a context that carries `kube-*` or the program's own namespace",
    stops: 'contexts',
  },
  CopyAsSource: { refused: 'an object that is itself a copy', stops: 'object' },
  SpecialSecret: {
    refused: 'a service account token, a bootstrap token or a Helm release',
    stops: 'object',
  },
  CatalogMissing: {
    refused: 'the webhook does not know the contexts yet; code 503, at the webhook only',
    stops: '',
  },
};

/** What the controller does in spite of a violation. */
export const effects: Readonly<Record<Effect, string>> = {
  object: 'nothing is served for the object',
  contexts: 'the contexts that it names are not served; the others are',
  creation: 'copies in the cluster are kept up to date, and none is created there',
  nothing: 'the list is served as far as it can be read',
};

/** Annotations and labels, without the prefix itself. */
export const keys: Readonly<
  Record<Exclude<keyof Keys, 'prefix'>, { readonly where: string; readonly value: string }>
> = {
  syncContexts: { where: 'annotation of a source', value: 'comma list of context names' },
  origin: {
    where: 'annotation of a copy',
    value: 'JSON that identifies the source; the only thing that confers ownership',
  },
  originName: {
    where: 'label of a copy',
    value: "the source's name; over 63 characters, a beginning and a hash",
  },
  originNamespace: { where: 'label of a copy', value: "the source's namespace" },
  originCluster: { where: 'label of a copy', value: '`--cluster-name`' },
  releaseDeletions: {
    where: 'annotation of ConfigMap `context-syncer-catalog`',
    value: 'the name of a [trip](operations.md#mass-deletion-guard) that an operator releases',
  },
  shards: { where: 'annotation of a Lease', value: 'how many shards its holder works with; absent for one' },
  wantedBy: {
    where: 'annotation of a Lease',
    value: 'the replica that asks its holder to pass the shard on',
  },
  sync: {
    where: 'annotation of Kubed, for copies within one cluster',
    value: 'not acted upon; the object gets an Event',
  },
};

type ReasonOf<Kind extends Outcome['kind']> = Extract<
  Outcome,
  { readonly kind: Kind; readonly reason: string }
>['reason'];

/** The label `reason` of `context_syncer_writes_total`. */
export const writes: Readonly<Record<ReasonOf<'written'>, string>> = {
  Missing: 'there was no copy',
  SourceChanged: 'the source has another content',
  Drifted: 'somebody changed the copy',
  TakenOver: 'the copy was made by Kubed, or by a source cluster that was rebuilt',
  Relabelled: "the copy's origin did not say what it should",
  SourceDeleted: 'deleted: the source is gone',
  AnnotationRemoved: "deleted: the source's annotation is gone",
  ContextDelisted: "deleted: the source's list no longer means the copy",
};

/** The label `reason` of `context_syncer_held_back_total`. */
export const heldBack: Readonly<Record<ReasonOf<'refused'> | ReasonOf<'waiting'>, string>> = {
  Unowned: 'something that is not our copy has the name',
  ClaimedByOther: 'another source has the object',
  AmbiguousCluster: 'two contexts of the list lead to the cluster, and there is no copy yet',
  SpecialSecret: "the Secret's type does not travel",
  TargetNotListed: 'the copies in the cluster are not listed yet',
  TargetUnreachable: 'the cluster does not answer',
  SourceChanging: 'the source was read in another version than it was announced in',
  ContextUnidentified: 'a context of the list is not known to be another cluster',
  ContextSettling: 'a context of the list is reached for the first time',
  CopyTerminating: 'the copy is being deleted, and finalizers hold it',
  Contested: 'something keeps changing the copy',
  DeletionGuard: 'the mass-deletion guard stopped deletion',
};
