import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { files } from './command-lines.ts';

/** Writes the kubeconfig by which the API server reaches its webhook token authenticator. */
export async function writeTokenReviewKubeconfig(folder: string, url: string): Promise<void> {
  const content = stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'reviews',
    clusters: [{ name: 'reviews', cluster: { server: url } }],
    users: [{ name: 'api-server', user: {} }],
    contexts: [{ name: 'reviews', context: { cluster: 'reviews', user: 'api-server' } }],
  });
  await writeFile(join(folder, files.tokenReviews), content, { mode: 0o600 });
}
