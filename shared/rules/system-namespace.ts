import type { Circumstances, Rule } from './subject.ts';

/**
 * Namespaces that are neither source nor target: those of Kubernetes itself, and our own, whose Secrets hold the
 * credentials of every target.
 */
export function isSystemNamespace(
  namespace: string,
  { ownNamespace }: Pick<Circumstances, 'ownNamespace'>,
): boolean {
  return namespace.startsWith('kube-') || namespace === ownNamespace;
}

/** Nothing is copied out of a system namespace. */
export const systemNamespace: Rule = ({ namespace }, circumstances) =>
  isSystemNamespace(namespace, circumstances)
    ? [
        {
          reason: 'SystemNamespace',
          stops: 'object',
          message: `Objects of namespace "${namespace}" are never copied; move the object to another namespace.`,
          contexts: [],
        },
      ]
    : [];

/** Nothing is copied into a system namespace. */
export const targetNamespace: Rule = (subject, circumstances) =>
  subject.list.names.flatMap((name) => {
    const { contexts, policies } = circumstances.catalog;
    const namespace = contexts.get(name)?.namespace;
    return namespace !== undefined &&
      isSystemNamespace(namespace, circumstances) &&
      policies?.allow(name, subject) !== false
      ? [
          {
            reason: 'TargetNamespace' as const,
            stops: 'contexts' as const,
            message: `Context "${name}" would place the copy in namespace "${namespace}", where nothing is ever copied to; give the context another namespace.`,
            contexts: [name],
          },
        ]
      : [];
  });
