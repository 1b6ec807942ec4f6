import { allowedContext } from './allowed-context.ts';
import { distinctClusters } from './distinct-clusters.ts';
import { knownContext } from './known-context.ts';
import { listForm } from './list-form.ts';
import { notACopy } from './not-a-copy.ts';
import { notSourceCluster } from './not-source-cluster.ts';
import { specialSecret } from './special-secret.ts';
import type { Circumstances, Rule, Subject } from './subject.ts';
import { systemNamespace, targetNamespace } from './system-namespace.ts';
import type { Violation } from './violation.ts';

/** In the order in which a person wants to read them. */
const rules: readonly Rule[] = [
  systemNamespace,
  notACopy,
  specialSecret,
  listForm,
  knownContext,
  allowedContext,
  notSourceCluster,
  distinctClusters,
  targetNamespace,
];

/** Everything that is wrong with an annotated object, from all rules. Empty: the object may be copied as its list says. */
export function judge(subject: Subject, circumstances: Circumstances): readonly Violation[] {
  return rules.flatMap((rule) => rule(subject, circumstances));
}
