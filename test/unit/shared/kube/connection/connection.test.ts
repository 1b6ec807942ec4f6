import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { AbortedError, ApiError, TransportError } from '../../../../../shared/kube/errors.ts';
import { configMaps, leases, namespaces } from '../../../../../shared/kube/resource.ts';
import { headerLines, json, type LocalServer, type Respond, serve, status } from '../local-server.ts';
import { connectTo, failure, until } from './fixture.ts';

const omni = { metadata: { name: 'omni', namespace: 'demo', resourceVersion: '7' }, data: { k: 'v' } };
const found: Respond = (_request, response) => json(response, 200, omni);

/** Method, path and body of the only request, after it was answered. */
async function sent(
  call: (client: ReturnType<typeof connectTo>['client']) => Promise<unknown>,
  answer: unknown = omni,
): Promise<{ line: string; body: unknown; header: (name: string) => string[] }> {
  let body = '';
  await using server = await serve((request, response) => {
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on('end', () => json(response, 200, answer));
  });
  await using connection = connectTo({ server: `${server.url}/k8s/clusters/x`, token: { text: 'secret\n' } });
  await call(connection.client);
  const [request] = server.requests;
  if (request === undefined) {
    throw new Error('nothing was sent');
  }
  return {
    line: `${request.method ?? ''} ${request.url ?? ''}`,
    body: body === '' ? undefined : JSON.parse(body),
    header: (name) => headerLines(request, name),
  };
}

describe('what is sent', () => {
  test('is a GET for a whole object', async () => {
    const request = await sent((client) => client.get(configMaps, 'demo', 'omni'));
    expect(request.line).toBe('GET /k8s/clusters/x/api/v1/namespaces/demo/configmaps/omni');
    expect(request.header('accept')).toEqual(['application/json']);
    expect(request.header('authorization')).toEqual(['Bearer secret']);
    expect(request.header('user-agent')).toEqual(['test/1']);
  });

  test('the clock of the server comes with an answer that it accepted', async () => {
    const times: number[] = [];
    await sent((client) =>
      client.get(configMaps, 'demo', 'omni', { onServerTime: (time) => times.push(time) }),
    );
    expect(times).toEqual([expect.any(Number)]);
    expect((times[0] ?? 1) % 1000).toBe(0);
  });

  test.each([200, 404])('the FlowSchema of the request comes with an answer of status %i', async (status) => {
    await using server = await serve((_request, response) => {
      response.setHeader('X-Kubernetes-PF-FlowSchema-UID', 'uid-1');
      json(response, status, omni);
    });
    await using connection = connectTo({ server: server.url });
    const uids: string[] = [];
    const onFlowSchema = (uid: string): void => {
      uids.push(uid);
    };
    await connection.client.get(configMaps, 'demo', 'omni', { onFlowSchema }).catch(() => undefined);
    expect(uids).toEqual(['uid-1']);
  });

  test('is a GET that asks for metadata alone', async () => {
    const request = await sent((client) => client.get(configMaps, 'demo', 'omni', { shape: 'metadata' }));
    expect(request.header('accept')[0]).toContain('as=PartialObjectMetadata;');
  });

  test('is a GET of one page of metadata for a list', async () => {
    const request = await sent(
      (client) =>
        client.list(configMaps, { shape: 'metadata', labelSelector: 'a=b,c', limit: 500, continue: 'x/y=' }),
      { metadata: { resourceVersion: '1' }, items: null },
    );
    expect(request.line).toBe(
      'GET /k8s/clusters/x/api/v1/configmaps?labelSelector=a%3Db%2Cc&limit=500&continue=x%2Fy%3D',
    );
    expect(request.header('accept')).toEqual([
      'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json',
    ]);
  });

  test('is a POST for a create', async () => {
    const request = await sent((client) => client.create(configMaps, omni, { dryRun: true }));
    expect(request.line).toBe(
      'POST /k8s/clusters/x/api/v1/namespaces/demo/configmaps?fieldManager=context-syncer&dryRun=All',
    );
    expect(request.body).toEqual(omni);
    expect(request.header('content-type')).toEqual(['application/json']);
  });

  test('is a PUT for an update', async () => {
    const request = await sent((client) => client.update(leases, omni));
    expect(request.line).toBe(
      'PUT /k8s/clusters/x/apis/coordination.k8s.io/v1/namespaces/demo/leases/omni?fieldManager=context-syncer',
    );
    expect(request.body).toEqual(omni);
  });

  test.each([
    ['merge', 'application/merge-patch+json'],
    ['json', 'application/json-patch+json'],
  ] as const)('%s patch', async (type, contentType) => {
    const request = await sent((client) => client.patch(configMaps, 'demo', 'omni', type, { a: null }));
    expect(request.line).toMatch(/^PATCH .*\/omni\?fieldManager=context-syncer$/);
    expect(request.header('content-type')).toEqual([contentType]);
    expect(request.body).toEqual({ a: null });
  });

  test('is a DELETE with the uid and version of this very object', async () => {
    const preconditions = { uid: 'u', resourceVersion: '7' };
    const request = await sent((client) => client.delete(configMaps, 'demo', 'omni', { preconditions }));
    expect(request.line).toBe('DELETE /k8s/clusters/x/api/v1/namespaces/demo/configmaps/omni');
    expect(request.body).toEqual({
      kind: 'DeleteOptions',
      apiVersion: 'v1',
      propagationPolicy: 'Background',
      preconditions,
    });
  });

  test('names the user to act as, with a header for each group', async () => {
    await using server = await serve(found);
    await using connection = connectTo({
      server: server.url,
      basic: { username: 'admin', password: 'p:w' },
      impersonate: {
        user: 'alice',
        uid: '1',
        groups: ['a', 'b'],
        extra: { 'example.com/scope': ['x', 'y'] },
      },
    });
    await connection.client.get(configMaps, 'demo', 'omni');
    const [request] = server.requests;
    const header = (name: string): string[] => (request === undefined ? [] : headerLines(request, name));
    expect(header('authorization')).toEqual([`Basic ${Buffer.from('admin:p:w').toString('base64')}`]);
    expect(header('impersonate-user')).toEqual(['alice']);
    expect(header('impersonate-uid')).toEqual(['1']);
    expect(header('impersonate-group')).toEqual(['a', 'b']);
    expect(header('impersonate-extra-example.com%2fscope')).toEqual(['x', 'y']);
  });
});

describe('what comes back', () => {
  async function answered(
    respond: Respond,
    call: (server: LocalServer) => Promise<unknown>,
  ): Promise<unknown> {
    await using server = await serve(respond);
    return await failure(call(server));
  }

  test('is an object as it was sent', async () => {
    await using server = await serve(found);
    await using connection = connectTo({ server: server.url });
    expect(await connection.client.get(configMaps, 'demo', 'omni')).toEqual(omni);
  });

  test('is an empty list when the items are null', async () => {
    const page = { metadata: { resourceVersion: '1' }, items: null };
    await using server = await serve((_request, response) => json(response, 200, page));
    await using connection = connectTo({ server: server.url });
    expect(await connection.client.list(configMaps, { shape: 'metadata' })).toEqual(page);
  });

  test('is a refusal by its reason, without the message', async () => {
    const error = await answered(
      (_request, response) => json(response, 429, status(429, 'TooManyRequests'), { 'retry-after': '2' }),
      async ({ url }) => {
        await using connection = connectTo({ server: url });
        await connection.client.create(configMaps, omni);
      },
    );
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({ status: 429, reason: 'TooManyRequests', retryAfterMs: 2000 });
    expect(inspect(error, { depth: null })).not.toContain('CANARY');
  });

  test('a missing namespace is not a missing object', async () => {
    const missing: Respond = (_request, response) =>
      json(response, 404, status(404, 'NotFound', { name: 'demo', kind: 'namespaces' }));
    await using server = await serve(missing);
    await using connection = connectTo({ server: server.url });
    expect(await failure(connection.client.create(configMaps, omni))).toMatchObject({
      reason: 'NamespaceNotFound',
    });
    expect(await failure(connection.client.get(namespaces, undefined, 'demo'))).toMatchObject({
      reason: 'NotFound',
    });
  });

  test.each<[string, string]>([
    ['no JSON', '<html>CANARY'],
    ['null', 'null'],
    ['another object', '{"metadata":{"name":"CANARY"}}'],
    ['an object without metadata', '{"x":"CANARY"}'],
    ['a list without items', '{"metadata":{}}'],
    ['half a list', '{"metadata":{"resourceVersion":"1"},"items":[{"CANARY'],
  ])('%s is a malformed answer, for an object and for a list', async (_what, body) => {
    await using server = await serve((_request, response) => response.end(body));
    await using connection = connectTo({ server: server.url });
    const calls = [
      connection.client.get(configMaps, 'demo', 'omni'),
      connection.client.list(configMaps, { shape: 'full' }),
      connection.client.create(configMaps, omni),
    ];
    for (const call of calls) {
      const error = await failure(call);
      expect(error).toBeInstanceOf(TransportError);
      expect(error).toMatchObject({ reason: 'MalformedAnswer', sent: true });
      expect(inspect(error, { depth: null })).not.toContain('CANARY');
    }
  });

  test('a redirect is not followed', async () => {
    await using other = await serve(found);
    await using server = await serve((_request, response) =>
      response.writeHead(307, { location: other.url }).end(),
    );
    await using connection = connectTo({ server: server.url, token: { text: 't' } });
    expect(await failure(connection.client.get(configMaps, 'demo', 'omni'))).toMatchObject({
      status: 307,
      reason: 'Unexpected',
    });
    expect(other.requests).toHaveLength(0);
  });
});

describe('no answer', () => {
  test('when nobody listens, nothing was sent', async () => {
    const server = await serve(found);
    await server[Symbol.asyncDispose]();
    await using connection = connectTo({ server: server.url });
    const error = await failure(connection.client.create(configMaps, omni));
    expect(error).toMatchObject({ reason: 'ConnectionRefused', sent: false });
  });

  test('when the name does not resolve, nothing was sent', async () => {
    await using connection = connectTo({ server: 'http://no-such-host.invalid' });
    const error = await failure(connection.client.ping());
    expect(error).toMatchObject({ reason: 'NameNotResolved', sent: false });
  });

  test('when the connection is cut before the answer, the outcome is unknown', async () => {
    await using server = await serve((request) => request.socket.destroy());
    await using connection = connectTo({ server: server.url });
    const error = await failure(connection.client.create(configMaps, omni));
    expect(error).toMatchObject({ reason: 'ConnectionReset', sent: true });
  });

  test('when the connection is cut within the answer, the outcome is unknown', async () => {
    await using server = await serve((request, response) => {
      response.writeHead(200, { 'content-length': '1000' });
      response.write('{"metadata"', () => request.socket.destroy());
    });
    await using connection = connectTo({ server: server.url });
    const error = await failure(connection.client.get(configMaps, 'demo', 'omni'));
    expect(error).toMatchObject({ reason: 'ConnectionReset', sent: true });
  });

  test('when the peer does not speak HTTP, the error says so', async () => {
    await using server = await serve((request) => request.socket.end('CANARY CANARY\r\n\r\n'));
    await using connection = connectTo({ server: server.url });
    const error = await failure(connection.client.ping());
    expect(error).toMatchObject({ reason: 'MalformedAnswer', sent: true });
    expect(inspect(error, { depth: null })).not.toContain('CANARY');
  });

  test('a silent server ends at the deadline; what still waited for a connection was not sent', async () => {
    await using server = await serve(() => {});
    await using connection = connectTo({ server: server.url }, { maxConnections: 1, requestTimeoutMs: 3000 });
    const first = failure(connection.client.create(configMaps, omni));
    await until(() => server.requests.length === 1);
    const second = failure(connection.client.create(configMaps, omni, { timeoutMs: 2000 }));
    await connection.clock.advance(3000);
    expect(await first).toMatchObject({ reason: 'Timeout', sent: true });
    expect(await second).toMatchObject({ reason: 'Timeout', sent: false });
  });

  test('the time-out starts again when a request is sent, so that waiting for a connection costs it nothing', async () => {
    await using server = await serve(() => {});
    await using connection = connectTo({ server: server.url }, { maxConnections: 1 });
    const first = failure(connection.client.get(configMaps, 'demo', 'omni', { timeoutMs: 900 }));
    await until(() => server.requests.length === 1);
    const second = connection.client.get(configMaps, 'demo', 'omni', { timeoutMs: 1000 });
    server.respond = found;
    await connection.clock.advance(900);
    await first;
    await connection.clock.advance(200);
    expect(await second).toEqual(omni);
  });

  test('time in which the event loop was blocked is not counted', async () => {
    let answer = (): void => {};
    await using server = await serve((request, response) => {
      answer = () => found(request, response);
    });
    await using connection = connectTo({ server: server.url });
    const reading = connection.client.get(configMaps, 'demo', 'omni', { timeoutMs: 1000 });
    await until(() => server.requests.length === 1);
    connection.clock.block(20_000);
    await connection.clock.advance(0);
    answer();
    expect(await reading).toEqual(omni);
  });

  test('an answer that trickles ends at the deadline, too', async () => {
    let trickle: (() => void) | undefined;
    await using server = await serve((_request, response) => {
      response.writeHead(200);
      trickle = () => response.write(' ');
      trickle();
    });
    await using connection = connectTo({ server: server.url });
    const outcome = failure(connection.client.get(configMaps, 'demo', 'omni', { timeoutMs: 500 }));
    await until(() => trickle !== undefined);
    await connection.clock.advance(499);
    trickle?.();
    await connection.clock.advance(1);
    expect(await outcome).toMatchObject({ reason: 'Timeout', sent: true });
  });

  test("the caller's signal aborts, before and while", async () => {
    await using server = await serve(() => {});
    await using connection = connectTo({ server: server.url });
    expect(await failure(connection.client.ping({ signal: AbortSignal.abort() }))).toBeInstanceOf(
      AbortedError,
    );
    expect(server.requests).toHaveLength(0);
    const controller = new AbortController();
    const outcome = failure(connection.client.ping({ signal: controller.signal }));
    await until(() => server.requests.length === 1);
    controller.abort();
    expect(await outcome).toBeInstanceOf(AbortedError);
    expect(connection.clock.waiting).toBe(0);
  });

  test('after a silent request the next one gets a connection that answers', async () => {
    await using server = await serve(() => {});
    await using connection = connectTo({ server: server.url }, { maxConnections: 1 });
    const outcome = failure(connection.client.get(configMaps, 'demo', 'omni'));
    await until(() => server.requests.length === 1);
    await connection.clock.advance(10_000);
    await outcome;
    server.respond = found;
    expect(await connection.client.get(configMaps, 'demo', 'omni')).toEqual(omni);
  });
});

describe('connections', () => {
  test('nothing is opened before the first request', async () => {
    await using server = await serve(found);
    await using connection = connectTo({ server: server.url });
    expect(connection.client.server).toBe(server.url);
    expect(server.accepted).toBe(0);
  });

  test('are used again, and no more than allowed', async () => {
    await using server = await serve(found);
    await using connection = connectTo({ server: server.url }, { maxConnections: 4 });
    const get = (): Promise<unknown> => connection.client.get(configMaps, 'demo', 'omni');
    for (let round = 0; round < 10; round += 1) {
      await Promise.all(Array.from({ length: 20 }, get));
    }
    expect(server.requests).toHaveLength(200);
    expect(server.accepted).toBe(4);
  });

  test('are new ones after a reconnect, which fails what is under way', async () => {
    let answers = true;
    await using server = await serve((request, response) => {
      if (answers) {
        found(request, response);
      }
    });
    let opened = 0;
    const onConnected = (): void => {
      opened += 1;
    };
    await using connection = connectTo({ server: server.url }, { onConnected, maxConnections: 1 });
    const get = (): Promise<unknown> => connection.client.get(configMaps, 'demo', 'omni');
    await get();
    await get();
    expect([server.accepted, opened]).toEqual([1, 1]);
    answers = false;
    const outcome = failure(get());
    await until(() => server.requests.length === 3);
    connection.client.reconnect();
    expect(await outcome).toMatchObject({ reason: 'ConnectionReset', sent: true });
    answers = true;
    await get();
    expect([server.accepted, opened]).toEqual([2, 2]);
  });

  test('close ends what is under way and what comes later', async () => {
    await using server = await serve(() => {});
    await using connection = connectTo({ server: server.url });
    const outcome = failure(connection.client.ping());
    await until(() => server.requests.length === 1);
    await connection.client.close();
    expect(await outcome).toBeInstanceOf(AbortedError);
    expect(await failure(connection.client.ping())).toBeInstanceOf(AbortedError);
    expect(server.requests).toHaveLength(1);
  });
});
