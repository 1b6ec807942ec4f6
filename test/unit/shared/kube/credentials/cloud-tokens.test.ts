import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { aksIssuer } from '../../../../../shared/kube/credentials/aks-token.ts';
import { eksIssuer } from '../../../../../shared/kube/credentials/eks-token.ts';
import { gkeIssuer } from '../../../../../shared/kube/credentials/gke-token.ts';
import type { Issued, Issuer } from '../../../../../shared/kube/credentials/issuers.ts';
import { optionalLibrary } from '../../../../../shared/kube/credentials/optional-library.ts';
import { CredentialsError } from '../../../../../shared/kube/errors.ts';
import type { AksSettings, EksSettings } from '../../../../../shared/kube/kubeconfig/issuer-settings.ts';
import { type AwsSource, FakeAws, podRole } from '../../../../clouds/fake-aws.ts';
import { aksServerId, clientId, FakeEntra, objectId, tenantId } from '../../../../clouds/fake-entra.ts';
import { FakeGoogle, serviceAccount } from '../../../../clouds/fake-google.ts';
import { ManualClock } from '../../../fakes/manual-clock.ts';

const request = { fresh: false, signal: new AbortController().signal };
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'context-syncer-test-'));
});

afterEach(() => {
  vi.unstubAllEnvs();
});

afterAll(async () => {
  await rm(folder, { recursive: true });
});

/** The vendors' libraries read the process's own variables. */
function useEnvironment(environment: Record<string, string>): Record<string, string> {
  for (const [name, value] of Object.entries(environment)) {
    vi.stubEnv(name, value);
  }
  return environment;
}

async function fileWith(content: string): Promise<string> {
  const path = join(folder, 'token');
  await writeFile(path, content);
  return path;
}

async function problem(issue: Issuer): Promise<string> {
  const error = await issue(request).then(
    (issued: Issued) => issued,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(CredentialsError);
  const message = error instanceof Error ? error.message : '';
  expect(message).not.toContain('CANARY');
  return message;
}

describe('EKS', () => {
  const settings: EksSettings = {
    provider: 'eks',
    clusterId: 'demo',
    region: 'eu-central-1',
    roleArn: undefined,
    sessionName: undefined,
    externalId: undefined,
    profile: undefined,
  };
  const target = 'arn:aws:iam::999988887777:role/target';

  /** Signed now: the fake AWS has the machine's clock. */
  const clock = (): ManualClock => new ManualClock(Date.now());

  test.each<[AwsSource, string | undefined]>([
    ['irsa', podRole],
    ['pod-identity', undefined],
    ['imds', undefined],
  ])('a token by %s, which AWS verifies', async (source, identity) => {
    await using aws = await FakeAws.start();
    const environment = useEnvironment(aws.environment(source, await fileWith(aws.podToken)));
    const now = clock();
    const issued = await eksIssuer(settings, now, environment)(request);
    expect(aws.verify(issued.token ?? '', 'demo')).toBe(podRole);
    expect(() => aws.verify(issued.token ?? '', 'other')).toThrow('SignatureDoesNotMatch');
    expect(issued.identity).toBe(identity);
    expect(issued.expiresAt).toBe(now.now() + 14 * 60_000);
  });

  test('a token of a role that is assumed', async () => {
    await using aws = await FakeAws.start();
    const environment = useEnvironment(aws.environment('irsa', await fileWith(aws.podToken)));
    const issued = await eksIssuer({ ...settings, roleArn: target }, clock(), environment)(request);
    expect(aws.verify(issued.token ?? '', 'demo')).toBe(target);
    expect(aws.calls).toEqual(['AssumeRoleWithWebIdentity', 'AssumeRole']);
    expect(issued.identity).toBe(target);
  });

  test('AWS is asked again when its credentials would not outlive a token, or were refused', async () => {
    await using aws = await FakeAws.start();
    const environment = useEnvironment(aws.environment('imds', ''));
    const now = clock();
    const issue = eksIssuer(settings, now, environment);
    await issue(request);
    await now.advance(40 * 60_000);
    await issue(request);
    expect(aws.calls).toHaveLength(1);
    await now.advance(10 * 60_000);
    await issue(request);
    expect(aws.calls).toHaveLength(2);
    await issue({ ...request, fresh: true });
    expect(aws.calls).toHaveLength(3);
  });

  test('a token lives no longer than the credentials that signed it', async () => {
    await using aws = await FakeAws.start();
    aws.lifetime = 60;
    const environment = useEnvironment(aws.environment('imds', ''));
    const { expiresAt } = await eksIssuer(settings, clock(), environment)(request);
    expect(expiresAt).toBeLessThanOrEqual(Date.now() + 60_000);
  });

  test.each<[string, AwsSource, Partial<EksSettings>, RegExp]>([
    ['a web identity', 'irsa', {}, /from a web identity \(IRSA\) \(AccessDenied\): give the ServiceAccount/],
    ['Pod Identity', 'pod-identity', {}, /from EKS Pod Identity \(AccessDenied\)/],
    [
      'a role',
      'imds',
      { roleArn: target },
      /role\/target cannot be assumed \(AccessDenied\): its trust policy/,
    ],
  ])('a refusal of %s has the code of AWS and what to grant', async (_what, source, part, expected) => {
    await using aws = await FakeAws.start();
    const environment = useEnvironment(aws.environment(source, await fileWith(aws.podToken)));
    aws.refuseWith = 'AccessDenied';
    expect(await problem(eksIssuer({ ...settings, ...part }, clock(), environment))).toMatch(expected);
  });

  test.each([
    ['cn-north-1', 'sts.cn-north-1.amazonaws.com.cn'],
    ['us-gov-west-1', 'sts.us-gov-west-1.amazonaws.com'],
    ['eusc-de-east-1', 'sts.eusc-de-east-1.amazonaws.eu'],
  ])('STS of %s', async (region, host) => {
    const environment = useEnvironment({ AWS_ACCESS_KEY_ID: 'AKIA', AWS_SECRET_ACCESS_KEY: 's' });
    const { token = '' } = await eksIssuer({ ...settings, region }, clock(), environment)(request);
    expect(new URL(Buffer.from(token.slice('k8s-aws-v1.'.length), 'base64url').toString()).host).toBe(host);
  });
});

describe('GKE', () => {
  test('a token of the metadata server, and a new one each time', async () => {
    await using google = await FakeGoogle.start();
    useEnvironment(google.environment);
    const issue = gkeIssuer();
    const first = await issue(request);
    expect(first.identity).toBe(serviceAccount);
    expect(google.verify(first.token ?? '')).toBe(serviceAccount);
    expect(first.expiresAt).toBeGreaterThan(Date.now() + 3_500_000);
    expect((await issue(request)).token).not.toBe(first.token);
  });

  test('a token by workload identity federation', async () => {
    await using google = await FakeGoogle.start();
    const file = join(folder, 'federation.json');
    await writeFile(file, JSON.stringify(google.federation(await fileWith('subject'))));
    useEnvironment({ GOOGLE_APPLICATION_CREDENTIALS: file });
    const { token = '' } = await gkeIssuer()(request);
    expect(google.verify(token)).toBe(serviceAccount);
  });

  test('a refusal has the code and what to grant', async () => {
    await using google = await FakeGoogle.start();
    useEnvironment(google.environment);
    google.refuseWith = 'access_denied';
    expect(await problem(gkeIssuer())).toMatch(
      /Google Cloud refuses a token \(access_denied, 403\): grant roles\/iam.workloadIdentityUser/,
    );
  });

  test('a key file that is not there is a problem', async () => {
    useEnvironment({ GOOGLE_APPLICATION_CREDENTIALS: join(folder, 'nothing.json') });
    expect(await problem(gkeIssuer())).toMatch(/no Google credentials were found/);
  });
});

describe('AKS', () => {
  const settings: AksSettings = {
    provider: 'aks',
    login: 'msi',
    serverId: aksServerId,
    clientId: undefined,
    tenantId: undefined,
    authorityHost: undefined,
    federatedTokenFile: undefined,
    clientSecret: undefined,
    identityResourceId: undefined,
  };

  // The library finds its managed identity endpoint once a process.
  let entra: FakeEntra;

  beforeAll(async () => {
    entra = await FakeEntra.start();
  });

  afterAll(async () => {
    await entra[Symbol.asyncDispose]();
  });

  test('a token of a managed identity', async () => {
    const environment = useEnvironment(entra.environment(''));
    const { token = '', expiresAt } = await aksIssuer({ ...settings, clientId }, environment)(request);
    expect(entra.verify(token)).toBe(objectId);
    expect(expiresAt).toBeGreaterThan(Date.now() + 3_500_000);
    expect(Object.fromEntries(entra.requests[0] ?? [])).toMatchObject({
      resource: aksServerId,
      client_id: clientId,
    });
  });

  test('a refusal has the code and what to grant', async () => {
    const environment = useEnvironment(entra.environment(''));
    entra.refuseWith = 700016;
    expect(await problem(aksIssuer(settings, environment))).toMatch(
      /Entra ID refuses a token \(.*AADSTS700016\): assign the managed identity to the node pool/,
    );
  });

  test.each<[AksSettings['login'], Record<string, string>, RegExp]>([
    ['workloadidentity', {}, /AZURE_CLIENT_ID is not set: label the Pod/],
    [
      'workloadidentity',
      { AZURE_CLIENT_ID: clientId, AZURE_TENANT_ID: tenantId },
      /AZURE_FEDERATED_TOKEN_FILE is not set/,
    ],
    ['spn', { AZURE_CLIENT_ID: clientId, AZURE_TENANT_ID: tenantId }, /--client-secret is not given/],
  ])('%s without what it needs names it', async (login, environment, expected) => {
    expect(await problem(aksIssuer({ ...settings, login }, environment))).toMatch(expected);
  });
});

test('a library that is not installed is named by its package', async () => {
  const name = 'a-package-that-nobody-has';
  await expect(optionalLibrary(name, () => import(name))).rejects.toThrow(
    'leaves out the npm packages that the context needs (a-package-that-nobody-has): install without --omit=optional',
  );
});
