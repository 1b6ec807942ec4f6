import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { files } from './command-lines.ts';

/** Who asked for what, and what was decided; never a body. A watch is told when it begins, not only when it ends. */
const policy = {
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  omitStages: ['RequestReceived'],
  rules: [{ level: 'Metadata' }],
};

/** Writes the audit policy that the API server reads from `folder`. */
export async function writeAuditPolicy(folder: string): Promise<void> {
  await writeFile(join(folder, files.auditPolicy), stringify(policy), { mode: 0o600 });
}
