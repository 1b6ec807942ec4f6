import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../../shared/clock.ts';
import type { KubeClient, WatchEvent } from '../../../shared/kube/client.ts';
import { connect } from '../../../shared/kube/connection/connection.ts';
import { ApiError } from '../../../shared/kube/errors.ts';
import { specFromKubeconfig } from '../../../shared/kube/kubeconfig/kubeconfig.ts';
import type { KubeObject, PayloadObject } from '../../../shared/kube/object.ts';
import { configMaps, events, leases, namespaces, secrets } from '../../../shared/kube/resource.ts';
import { silentLogger } from '../../../shared/logger.ts';
import { CertificateAuthority } from '../../sandbox/control-plane/certificate-authority.ts';
import type { ContextSpec, ControlPlane } from '../../sandbox/sandbox.ts';
import { useSandbox } from '../../sandbox/use-sandbox.ts';

const sandbox = useSandbox({ targets: 1, users: [{ name: 'nobody-in-particular' }] });

let target: ControlPlane;
let admin: Client;

type Client = KubeClient & AsyncDisposable;

/** A client through a kubeconfig, as the program makes one. */
function client(context: Partial<ContextSpec> = {}): Client {
  const text = sandbox().contextsKubeconfig([{ name: 'c', cluster: target, ...context }]);
  const made = connect(specFromKubeconfig(text, { baseDirectory: sandbox().folder }), {
    clock: systemClock(),
    logger: silentLogger,
    userAgent: 'context-syncer-test',
  });
  return Object.assign(made, { [Symbol.asyncDispose]: () => made.close() });
}

function configMap(name: string, data: Record<string, string> = { k: 'v' }): PayloadObject {
  return { metadata: { name, namespace: 'default' }, data };
}

/** What a call was refused with. */
async function refusal(call: Promise<unknown>): Promise<unknown> {
  try {
    await call;
  } catch (error) {
    return error;
  }
  throw new Error('it was expected to be refused');
}

interface Identity extends KubeObject {
  readonly status?: {
    readonly userInfo: {
      readonly username: string;
      readonly groups: readonly string[];
      readonly extra?: Record<string, readonly string[]>;
    };
  };
}

/** Who the server says that we are. */
async function whoAmI(who: KubeClient): Promise<NonNullable<Identity['status']>['userInfo']> {
  const review = {
    group: 'authentication.k8s.io',
    version: 'v1',
    plural: 'selfsubjectreviews',
    kind: 'SelfSubjectReview',
  };
  // The answer has no name; an empty one is what we send, and what is checked.
  const { status } = await who.create<Identity>(review, {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'SelfSubjectReview',
    metadata: { name: '' },
  });
  if (status === undefined) {
    throw new Error('the review has no status');
  }
  return status.userInfo;
}

beforeAll(() => {
  target = sandbox().source;
  admin = client();
  return () => admin.close();
});

test('answers and refusals name the FlowSchema of the request, which is of this cluster alone', async () => {
  const read = async (who: KubeClient, namespace: string | undefined, name: string): Promise<string[]> => {
    const uids: string[] = [];
    const onFlowSchema = (uid: string): void => {
      uids.push(uid);
    };
    const resource = namespace === undefined ? namespaces : configMaps;
    await who.get(resource, namespace, name, { onFlowSchema }).catch(() => undefined);
    return uids;
  };
  const [other] = sandbox().targets;
  await using elsewhere = client(other === undefined ? {} : { cluster: other });
  const [own] = await read(admin, undefined, 'kube-system');
  expect(own).toMatch(/^[0-9a-f-]{36}$/);
  expect(await read(admin, 'default', 'does-not-exist')).toEqual([own]);
  const foreign = await read(elsewhere, undefined, 'kube-system');
  expect(foreign).toHaveLength(1);
  expect(foreign).not.toEqual([own]);
});

describe('the API server', () => {
  test('knows us by a token', async () => {
    expect((await whoAmI(admin)).groups).toContain('system:masters');
  });

  test('knows us by a client certificate, with its groups', async () => {
    await using alice = client({ user: await target.clientCertificate('alice', ['team-a']) });
    expect(await whoAmI(alice)).toMatchObject({ username: 'alice' });
    expect((await whoAmI(alice)).groups).toContain('team-a');
  });

  test('knows us by the token file of a ServiceAccount, also after it was replaced', async () => {
    const file = join(sandbox().folder, 'token');
    await writeFile(file, `${await target.serviceAccountToken('default', 'one')}\n`);
    await using account = client({ user: { tokenFile: 'token' } });
    expect((await whoAmI(account)).username).toBe('system:serviceaccount:default:one');
    await target.request('DELETE', '/api/v1/namespaces/default/serviceaccounts/one');
    await writeFile(file, `${await target.serviceAccountToken('default', 'two')}\n`);
    // The first token stays in the server's cache for a few seconds.
    await expect
      .poll(async () => (await whoAmI(account)).username, { timeout: 30_000, interval: 500 })
      .toBe('system:serviceaccount:default:two');
  });

  test('takes us for the user that the kubeconfig impersonates, with groups and extra', async () => {
    await using someone = client({
      userFields: {
        as: 'someone',
        'as-groups': ['team-a', 'team-b'],
        'as-user-extra': { 'example.com/scope': ['x', 'y'] },
      },
    });
    const identity = await whoAmI(someone);
    expect(identity.username).toBe('someone');
    expect(identity.groups).toEqual(expect.arrayContaining(['team-a', 'team-b']));
    expect(identity.extra).toEqual({ 'example.com/scope': ['x', 'y'] });
  });

  test('is trusted under the name that tls-server-name gives, and under no other', async () => {
    await using named = client({ clusterFields: { 'tls-server-name': 'kubernetes.default' } });
    expect((await whoAmI(named)).groups).toContain('system:masters');
    await using misnamed = client({ clusterFields: { 'tls-server-name': 'other' } });
    expect(await refusal(misnamed.ping())).toMatchObject({ reason: 'CertificateNotTrusted', sent: false });
  });

  test('is not verified where the kubeconfig says so', async () => {
    const unchecked = { 'certificate-authority-data': undefined, 'insecure-skip-tls-verify': true };
    await using insecure = client({ clusterFields: unchecked });
    expect((await whoAmI(insecure)).groups).toContain('system:masters');
  });

  test('is not trusted with another certificate authority or none, and nothing is sent to it', async () => {
    await using mistrustful = client({ clusterFields: { 'certificate-authority-data': undefined } });
    await using mistaken = client({
      clusterFields: {
        'certificate-authority-data': Buffer.from(
          (await CertificateAuthority.create('another')).certPem,
        ).toString('base64'),
      },
    });
    expect(await refusal(mistaken.ping())).toMatchObject({ reason: 'CertificateNotTrusted', sent: false });
    expect(await refusal(mistrustful.ping())).toMatchObject({ reason: 'CertificateNotTrusted', sent: false });
  });

  test('answers Unauthorized to credentials that it does not know', async () => {
    await using stranger = client({ user: { token: 'unknown' } });
    expect(await refusal(stranger.get(configMaps, 'default', 'x'))).toMatchObject({ reason: 'Unauthorized' });
  });

  test('answers Forbidden to a user without rights', async () => {
    await using user = client({ user: { token: target.userToken('nobody-in-particular') } });
    expect(await refusal(user.get(configMaps, 'default', 'x'))).toMatchObject({ reason: 'Forbidden' });
    expect(await refusal(user.list(secrets, { shape: 'metadata' }))).toMatchObject({ reason: 'Forbidden' });
  });
});

describe('objects', () => {
  test('are created, read, updated, patched and deleted', async () => {
    const created = await admin.create(configMaps, configMap('whole'));
    expect(created.metadata.uid).toBeDefined();
    expect(await admin.get(configMaps, 'default', 'whole')).toEqual(created);
    const metadata = await admin.get<PayloadObject>(configMaps, 'default', 'whole', { shape: 'metadata' });
    expect(metadata).toMatchObject({
      kind: 'PartialObjectMetadata',
      metadata: { uid: created.metadata.uid },
    });
    expect(metadata.data).toBeUndefined();
    const updated = await admin.update(configMaps, { ...created, data: { k: 'w' } });
    const patched = await admin.patch<PayloadObject>(configMaps, 'default', 'whole', 'merge', {
      data: { l: 'x' },
    });
    expect(patched.data).toEqual({ k: 'w', l: 'x' });
    const again = await admin.patch<PayloadObject>(configMaps, 'default', 'whole', 'json', [
      { op: 'remove', path: '/data/k' },
    ]);
    expect(again.data).toEqual({ l: 'x' });
    expect(updated.metadata.resourceVersion).not.toBe(again.metadata.resourceVersion);
    await admin.delete(configMaps, 'default', 'whole');
    expect(await refusal(admin.get(configMaps, 'default', 'whole'))).toMatchObject({ reason: 'NotFound' });
    expect(await refusal(admin.delete(configMaps, 'default', 'whole'))).toMatchObject({ reason: 'NotFound' });
    expect(await refusal(admin.update(configMaps, { ...again }))).toMatchObject({
      reason: expect.toBeOneOf(['NotFound', 'Conflict']) as unknown,
    });
  });

  test('are listed page by page', async () => {
    for (const name of ['page-1', 'page-2', 'page-3']) {
      await admin.create(configMaps, {
        ...configMap(name),
        metadata: { name, namespace: 'default', labels: { page: '' } },
      });
    }
    const names: string[] = [];
    let more: string | undefined;
    do {
      const page = await admin.list(configMaps, {
        shape: 'metadata',
        labelSelector: 'page',
        limit: 2,
        continue: more,
      });
      names.push(...(page.items ?? []).map((item) => item.metadata.name));
      more = page.metadata.continue;
    } while (more !== undefined && more !== '');
    expect(names).toEqual(['page-1', 'page-2', 'page-3']);
    const none = await admin.list(configMaps, { shape: 'metadata', labelSelector: 'nothing' });
    expect(none.items ?? []).toEqual([]);
    expect(none.metadata.resourceVersion).toBeDefined();
  });

  test('may be of groups other than the core one', async () => {
    const lease = { metadata: { name: 'lease', namespace: 'default' }, spec: { holderIdentity: 'me' } };
    expect(await admin.create(leases, lease)).toMatchObject({ spec: { holderIdentity: 'me' } });
    expect((await admin.list(events, { shape: 'full', namespace: 'default' })).metadata).toBeDefined();
  });
});

describe('what is refused', () => {
  test('is AlreadyExists for an object that exists, also as a dry run', async () => {
    await admin.create(configMaps, configMap('twice'));
    const invalid = configMap('twice', { 'bad key': 'CANARY' });
    expect(await refusal(admin.create(configMaps, configMap('twice')))).toMatchObject({
      reason: 'AlreadyExists',
    });
    expect(await refusal(admin.create(configMaps, configMap('twice'), { dryRun: true }))).toMatchObject({
      status: 409,
      reason: 'AlreadyExists',
    });
    const error = await refusal(admin.create(configMaps, invalid, { dryRun: true }));
    expect(error).toMatchObject({ status: 422, reason: 'Invalid', fields: ['data[bad key]'] });
    expect(String(error)).not.toContain('CANARY');
  });

  test('a dry run writes nothing', async () => {
    await admin.create(configMaps, configMap('dry'), { dryRun: true });
    expect(await refusal(admin.get(configMaps, 'default', 'dry'))).toMatchObject({ reason: 'NotFound' });
  });

  test('is a Conflict for a write to an older version', async () => {
    const first = await admin.create(configMaps, configMap('stale'));
    await admin.update(configMaps, { ...first, data: { k: 'w' } });
    expect(await refusal(admin.update(configMaps, { ...first, data: { k: 'x' } }))).toMatchObject({
      reason: 'Conflict',
    });
  });

  test('is a Conflict for the deletion of another object or version than was meant', async () => {
    const first = await admin.create(configMaps, configMap('meant'));
    const second = await admin.update(configMaps, { ...first, data: { k: 'w' } });
    const { uid = '', resourceVersion: old = '' } = first.metadata;
    const { resourceVersion = '' } = second.metadata;
    for (const preconditions of [
      { uid, resourceVersion: old },
      { uid: '00000000-0000-0000-0000-000000000000', resourceVersion },
    ]) {
      expect(await refusal(admin.delete(configMaps, 'default', 'meant', { preconditions }))).toMatchObject({
        reason: 'Conflict',
      });
    }
    await admin.delete(configMaps, 'default', 'meant', { preconditions: { uid, resourceVersion } });
    expect(await refusal(admin.get(configMaps, 'default', 'meant'))).toMatchObject({ reason: 'NotFound' });
  });

  test('names the namespace that is missing or terminating', async () => {
    const there = (namespace: string): PayloadObject => ({ metadata: { name: 'x', namespace }, data: {} });
    expect(await refusal(admin.create(configMaps, there('absent')))).toMatchObject({
      reason: 'NamespaceNotFound',
    });
    expect(await refusal(admin.get(configMaps, 'absent', 'x'))).toMatchObject({ reason: 'NotFound' });
    expect(await refusal(admin.get(namespaces, undefined, 'absent'))).toMatchObject({ reason: 'NotFound' });
    await admin.create<KubeObject>(namespaces, { metadata: { name: 'going' } });
    await admin.delete(namespaces, undefined, 'going');
    expect(await refusal(admin.create(configMaps, there('going')))).toMatchObject({
      reason: 'NamespaceTerminating',
    });
  });

  test('is Invalid or TooLarge for too much data, and Invalid for data that may not change', async () => {
    const large = configMap('large', { k: 'x'.repeat(1_048_577) });
    expect(await refusal(admin.create(configMaps, large))).toMatchObject({ reason: 'Invalid' });
    const huge = configMap('huge', { k: 'x'.repeat(4_000_000) });
    expect(await refusal(admin.create(configMaps, huge))).toMatchObject({ reason: 'TooLarge' });
    const fixed = await admin.create(configMaps, { ...configMap('fixed'), immutable: true });
    expect(await refusal(admin.update(configMaps, { ...fixed, data: { k: 'w' } }))).toMatchObject({
      reason: 'Invalid',
      fields: ['data'],
    });
  });

  test('a path that the server does not have is not an absent object', async () => {
    await using lost = client({ server: `${target.url}/k8s/clusters/x` });
    const error = await refusal(lost.get(configMaps, 'default', 'x'));
    expect(error).toBeInstanceOf(ApiError);
    expect(error).not.toMatchObject({ reason: 'NotFound' });
    const nothing = { group: '', version: 'v1', plural: 'nothings', kind: 'Nothing' };
    expect(await refusal(admin.get(nothing, 'default', 'x'))).toMatchObject({ reason: 'Unexpected' });
  });
});

describe('a watch', () => {
  const open = async (
    resourceVersion: string,
    timeoutSeconds: number,
  ): Promise<AsyncIterable<WatchEvent<PayloadObject>>> =>
    await admin.watch<PayloadObject>(configMaps, {
      namespace: 'default',
      labelSelector: 'watched',
      resourceVersion,
      shape: 'metadata',
      timeoutSeconds,
      idleTimeoutMs: 20_000,
      signal: new AbortController().signal,
    });

  test('shows what happened since, without payload, sends bookmarks, and ends in good order', async () => {
    const { metadata } = await admin.list(configMaps, { shape: 'metadata', namespace: 'default', limit: 1 });
    const object = configMap('seen');
    const created = await admin.create(configMaps, {
      ...object,
      metadata: { ...object.metadata, labels: { watched: '' } },
    });
    await admin.update(configMaps, { ...created, data: { k: 'w' } });
    await admin.delete(configMaps, 'default', 'seen');
    const seen: string[] = [];
    let bookmarked = '';
    const stream = await open(metadata.resourceVersion ?? '', 8);
    // Not selected; a server that sees nothing new after a watch began need not send a bookmark.
    const later = await admin.create(configMaps, configMap('later'));
    for await (const event of stream) {
      if (event.type === 'BOOKMARK') {
        bookmarked = event.resourceVersion;
      } else {
        seen.push(`${event.type} ${event.object.metadata.name} ${event.object.data === undefined}`);
      }
    }
    expect(seen).toEqual(['ADDED seen true', 'MODIFIED seen true', 'DELETED seen true']);
    expect(bookmarked).toBe(later.metadata.resourceVersion);
  });

  test('from a version that the server no longer has is Gone', async () => {
    // A new process remembers nothing that was before its start.
    await target.restart();
    const call = (async () => {
      for await (const event of await open('1', 5)) {
        expect(event).toBeUndefined();
      }
    })();
    expect(await refusal(call)).toMatchObject({ status: 410, reason: 'Gone' });
  });

  test('sees a large object in one piece', async () => {
    const { metadata } = await admin.list(configMaps, { shape: 'metadata', namespace: 'default', limit: 1 });
    const data = { k: '€"\n'.repeat(150_000) };
    await admin.create(configMaps, {
      metadata: { name: 'big', namespace: 'default', labels: { big: '' } },
      data,
    });
    const stream = await admin.watch<PayloadObject>(configMaps, {
      labelSelector: 'big',
      resourceVersion: metadata.resourceVersion ?? '',
      shape: 'full',
      timeoutSeconds: 10,
      idleTimeoutMs: 20_000,
      signal: new AbortController().signal,
    });
    let seen: unknown;
    for await (const event of stream) {
      seen = event.type === 'ADDED' ? event.object.data : undefined;
      break;
    }
    expect(seen).toEqual(data);
  });
});
