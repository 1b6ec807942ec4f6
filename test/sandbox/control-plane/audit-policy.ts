import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { files } from './command-lines.ts';

/**
 * What an audit log holds.
 * - `metadata`: who asked for what, and what was decided; never a body.
 * - `bodies`: the bodies of writes of ConfigMaps and Secrets as well, so that a reader knows every version that stood.
 */
export type Audit = 'metadata' | 'bodies';

const bodiesOfWrites = {
  level: 'RequestResponse',
  verbs: ['create', 'update', 'patch', 'delete'],
  resources: [{ group: '', resources: ['configmaps', 'secrets'] }],
};

/** Writes the audit policy that the API server reads from `folder`. A watch is logged when it begins, not only when it ends. */
export async function writeAuditPolicy(folder: string, audit: Audit): Promise<void> {
  const policy = {
    apiVersion: 'audit.k8s.io/v1',
    kind: 'Policy',
    omitStages: ['RequestReceived'],
    omitManagedFields: true,
    rules: [...(audit === 'bodies' ? [bodiesOfWrites] : []), { level: 'Metadata' }],
  };
  await writeFile(join(folder, files.auditPolicy), stringify(policy), { mode: 0o600 });
}
