/** `npm run sandbox`: keeps control planes running for a person. Ctrl-C ends them. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ensureBinaries } from './binaries/binaries.ts';
import { type ContextSpec, type Sandbox, startSandbox } from './sandbox.ts';

const usage =
  'usage: npm run sandbox -- [--targets N]   (N control planes besides the source; 2 when absent)';

function targetsFromArguments(args: readonly string[]): number | undefined {
  try {
    const { values } = parseArgs({ args: [...args], options: { targets: { type: 'string', default: '2' } } });
    return /^\d{1,2}$/.test(values.targets) ? Number(values.targets) : undefined;
  } catch {
    return undefined;
  }
}

/** The tutorial's contexts: the second goes to a namespace of its own; client certificates and tokens take turns. */
async function contextsOf(sandbox: Sandbox): Promise<readonly ContextSpec[]> {
  return await Promise.all(
    sandbox.targets.map(async (cluster, index): Promise<ContextSpec> => {
      return {
        name: `context-${index + 1}`,
        cluster,
        ...(index === 1 ? { namespace: 'demo-cluster-2' } : {}),
        ...(index % 2 === 0 ? { user: await cluster.clientCertificate('admin', ['system:masters']) } : {}),
      };
    }),
  );
}

/** Resolves to the name of the first signal that asks us to end. */
async function askedToEnd(): Promise<string> {
  return await new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.once(signal, () => resolve(signal));
    }
  });
}

async function main(): Promise<void> {
  const targets = targetsFromArguments(process.argv.slice(2));
  if (targets === undefined) {
    console.error(usage);
    process.exitCode = 2;
    return;
  }
  await ensureBinaries({ env: process.env, progress: (line) => console.error(line) });
  const end = askedToEnd();
  await using sandbox = await startSandbox({ targets });
  const contexts = join(sandbox.folder, 'contexts.kubeconfig');
  await writeFile(contexts, sandbox.contextsKubeconfig(await contextsOf(sandbox)), { mode: 0o600 });
  console.log(`A source cluster and ${targets} target clusters are running. In another terminal:

  export KUBECONFIG=${sandbox.source.kubeconfigFile}
  export CONTEXTS=${contexts}
  alias kubectl=${sandbox.binaries.kubectl}

  kubectl get namespaces                                               # the source
  kubectl --kubeconfig=$CONTEXTS --context=context-1 get namespaces    # a target

Logs: ${sandbox.logFolder}
Ctrl-C ends all of it.`);
  await end;
  console.log('ending');
}

await main();
