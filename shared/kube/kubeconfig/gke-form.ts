import type { GkeSettings } from './issuer-settings.ts';
import { type ExecEntry, readCommandForm } from './plugin-options.ts';

/** What `gcloud container clusters get-credentials` writes. */
export function readGke(entry: ExecEntry, problems: string[]): GkeSettings | undefined {
  const before = problems.length;
  readCommandForm(
    {
      tool: 'gke-gcloud-auth-plugin',
      words: [],
      options: new Map(),
      // They are what is used here in any case.
      ignoredSwitches: [
        '--use_application_default_credentials',
        '--use_application_default_credentials=true',
      ],
      variables: new Map(),
    },
    entry.args,
    entry.env,
    problems,
  );
  return problems.length > before ? undefined : { provider: 'gke' };
}
