import { type ActiveAuthority, type Authorities, type RetiredAuthority, retire } from './authorities.ts';
import type { Authority } from './authority.ts';
import { forgettable, type RotationView, type SecretStep, strangers, unrecorded } from './rotation.ts';

/** Steps that begin with a freshly made authority. */
export function needsAuthority(step: SecretStep): boolean {
  return step === 'create' || step === 'replace' || step === 'introduce';
}

/**
 * The Secret's content after a step that `nextStep` chose for this view. Throws where the two do not belong together.
 *
 * @param made a fresh authority, for steps that need one
 */
export function contentAfter(step: SecretStep, view: RotationView, made: Authority | undefined): Authorities {
  const { stored, now } = view;
  const before = stored.kind === 'usable' ? stored.authorities : undefined;
  if (step === 'create' || step === 'replace') return begin(view, before, unpublished(made));
  if (before === undefined) throw new TypeError(`the step "${step}" needs a Secret that can be used`);
  const { signing, next, retired } = before;
  switch (step) {
    case 'repair':
      return before;
    case 'adopt':
      return { ...before, retired: retire(retired, ...adopted(view, before)) };
    case 'record':
      return {
        ...before,
        signing: recorded(signing, view),
        next: next === undefined ? undefined : recorded(next, view),
      };
    case 'sign':
      if (next === undefined) throw new TypeError('no authority was introduced');
      return { signing: next, next: undefined, retired: retire(retired, outgoing(signing, view)) };
    case 'introduce':
      return { ...before, next: unpublished(made) };
    case 'retire':
      return {
        ...before,
        retired: retired.map((one) =>
          one.removedAt === undefined && one.until <= now ? { ...one, removedAt: now } : one,
        ),
      };
    case 'forget':
      return { ...before, retired: retired.filter((one) => !forgettable(one, view)) };
  }
}

/** A new beginning. Whatever is trusted now stays trusted: other replicas serve with it until they heard of this. */
function begin(view: RotationView, before: Authorities | undefined, signing: ActiveAuthority): Authorities {
  const known =
    before === undefined ? [] : [before.signing, ...(before.next === undefined ? [] : [before.next])];
  const retired = retire(before?.retired ?? [], ...known.map((one) => outgoing(one, view)));
  const kept = { signing, next: undefined, retired };
  return { ...kept, retired: retire(retired, ...adopted(view, kept)) };
}

function unpublished(made: Authority | undefined): ActiveAuthority {
  if (made === undefined) throw new TypeError('this step needs an authority');
  return { ...made, publishedAt: undefined };
}

function recorded(authority: ActiveAuthority, view: RotationView): ActiveAuthority {
  return unrecorded(authority, view) ? { ...authority, publishedAt: view.now } : authority;
}

function adopted(view: RotationView, known: Authorities): RetiredAuthority[] {
  return strangers(known, view.live).map(({ pem }) => outgoing({ certPem: pem }, view));
}

/**
 * The last leaf of an authority is issued before the Secret says that it signs no more, for one life of a leaf. Its
 * key is not kept: nobody needs it, and nobody can steal it.
 */
function outgoing(
  { certPem }: { readonly certPem: string },
  { now, policy }: RotationView,
): RetiredAuthority {
  return { certPem, until: now + policy.leafLifeMs + policy.skewMs, removedAt: undefined };
}
