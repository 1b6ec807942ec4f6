import type { KubeObject } from '../../../shared/kube/object.ts';

export interface Selection {
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
}

/** Label selectors of the forms `key`, `!key`, `key=value`, `key==value`, `key!=value`, joined by commas. */
function labelsMatch(labels: Readonly<Record<string, string>>, selector: string): boolean {
  return selector.split(',').every((term) => {
    const [key = '', value] = term.split(/!=|==?/).map((part) => part.trim());
    if (term.includes('!=')) return labels[key] !== value;
    if (term.includes('=')) return labels[key] === value;
    return term.startsWith('!') ? labels[term.slice(1)] === undefined : labels[term] !== undefined;
  });
}

/** Whether a list or watch with this selection shows the object. Of fields only `metadata.name` and `.namespace`. */
export function selects(selection: Selection, object: KubeObject): boolean {
  const { name, namespace, labels = {} } = object.metadata;
  if (selection.namespace !== undefined && selection.namespace !== namespace) return false;
  if (selection.labelSelector !== undefined && !labelsMatch(labels, selection.labelSelector)) return false;
  const fields: Readonly<Record<string, string | undefined>> = {
    'metadata.name': name,
    'metadata.namespace': namespace,
  };
  return (selection.fieldSelector ?? '')
    .split(',')
    .filter((term) => term !== '')
    .every((term) => {
      const [field = '', value] = term.split('=');
      return fields[field] === value;
    });
}
