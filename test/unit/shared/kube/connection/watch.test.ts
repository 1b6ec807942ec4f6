import type { ServerResponse } from 'node:http';
import { describe, expect, test } from 'vitest';
import type { WatchEvent, WatchOptions } from '../../../../../shared/kube/client.ts';
import { AbortedError } from '../../../../../shared/kube/errors.ts';
import type { KubeObject } from '../../../../../shared/kube/object.ts';
import { configMaps } from '../../../../../shared/kube/resource.ts';
import { settle } from '../../../fakes/manual-clock.ts';
import { json, serve, status } from '../local-server.ts';
import { connectTo, failure, until } from './fixture.ts';

function options(signal = new AbortController().signal): WatchOptions {
  return { resourceVersion: '5', shape: 'metadata', timeoutSeconds: 300, idleTimeoutMs: 90_000, signal };
}

const added = (name: string): string =>
  `${JSON.stringify({ type: 'ADDED', object: { metadata: { name } } })}\n`;

async function collect(events: AsyncIterable<WatchEvent<KubeObject>>): Promise<string[]> {
  const names: string[] = [];
  for await (const event of events) {
    names.push(event.type === 'BOOKMARK' ? `@${event.resourceVersion}` : event.object.metadata.name);
  }
  return names;
}

test('events come as they are sent, across chunks, until the server ends the stream', async () => {
  const bytes = Buffer.from(
    `${added('ä€😀')}${added('b')}{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"9"}}}\n`,
  );
  await using server = await serve((_request, response) => {
    void (async () => {
      for (const byte of bytes) {
        response.write(Buffer.from([byte]));
        await settle();
      }
      response.end();
    })();
  });
  await using connection = connectTo({ server: server.url });
  expect(await collect(await connection.client.watch(configMaps, options()))).toEqual(['ä€😀', 'b', '@9']);
  expect(server.requests[0]?.url).toBe(
    '/api/v1/configmaps?watch=1&allowWatchBookmarks=true&resourceVersion=5&timeoutSeconds=300',
  );
  expect(server.requests[0]?.headers.accept).toContain('as=PartialObjectMetadata;');
  expect(connection.clock.waiting).toBe(0);
});

test('it is open when the headers are there, before the first event', async () => {
  let stream: ServerResponse | undefined;
  await using server = await serve((_request, response) => {
    response.writeHead(200).flushHeaders();
    stream = response;
  });
  await using connection = connectTo({ server: server.url });
  const events = await connection.client.watch(configMaps, options());
  stream?.end(added('a'));
  expect(await collect(events)).toEqual(['a']);
});

test('streams never take a request their place', async () => {
  await using server = await serve((request, response) => {
    if (request.url?.includes('watch=1') === true) {
      response.writeHead(200).flushHeaders();
    } else {
      json(response, 200, { metadata: { name: 'x' } });
    }
  });
  await using connection = connectTo({ server: server.url }, { maxConnections: 1 });
  await Promise.all(Array.from({ length: 5 }, () => connection.client.watch(configMaps, options())));
  await connection.client.get(configMaps, 'demo', 'x');
  expect(server.accepted).toBe(6);
});

test('leaving early ends the connection', async () => {
  let closed = false;
  await using server = await serve((_request, response) => {
    response.on('close', () => {
      closed = true;
    });
    response.write(added('a') + added('b'));
  });
  await using connection = connectTo({ server: server.url });
  for await (const event of await connection.client.watch(configMaps, options())) {
    expect(event.type).toBe('ADDED');
    break;
  }
  await until(() => closed);
  expect(connection.clock.waiting).toBe(0);
});

describe('a watch fails', () => {
  test('when it is refused, before any event', async () => {
    await using server = await serve((_request, response) => json(response, 410, status(410, 'Expired')));
    await using connection = connectTo({ server: server.url });
    expect(await failure(connection.client.watch(configMaps, options()))).toMatchObject({ reason: 'Gone' });
    expect(connection.clock.waiting).toBe(0);
  });

  test('when the server says so within the stream', async () => {
    const error = JSON.stringify({ type: 'ERROR', object: status(410, 'Expired') });
    await using server = await serve((_request, response) => response.end(`${added('a')}${error}\n`));
    await using connection = connectTo({ server: server.url });
    const events = await connection.client.watch(configMaps, options());
    expect(await failure(collect(events))).toMatchObject({ reason: 'Gone', status: 410 });
  });

  test('when the stream ends within a line', async () => {
    await using server = await serve((_request, response) => response.end(`${added('a')}{"type":`));
    await using connection = connectTo({ server: server.url });
    const events = await connection.client.watch(configMaps, options());
    expect(await failure(collect(events))).toMatchObject({ reason: 'ConnectionReset' });
  });

  test('when the connection is cut between lines', async () => {
    await using server = await serve((_request, response) => response.write(added('a')));
    await using connection = connectTo({ server: server.url });
    const events = await connection.client.watch(configMaps, options());
    const seen: string[] = [];
    const outcome = failure(
      (async () => {
        for await (const event of events) {
          seen.push(event.type);
          server.cut();
        }
      })(),
    );
    expect(await outcome).toMatchObject({ reason: 'ConnectionReset' });
    expect(seen).toEqual(['ADDED']);
  });

  test('when no headers come in time', async () => {
    await using server = await serve(() => {});
    await using connection = connectTo({ server: server.url }, { requestTimeoutMs: 2000 });
    const outcome = failure(connection.client.watch(configMaps, options()));
    await until(() => server.requests.length === 1);
    await connection.clock.advance(2000);
    expect(await outcome).toMatchObject({ reason: 'Timeout' });
  });

  test('when it is silent for too long, counted from the last byte', async () => {
    let stream: ServerResponse | undefined;
    await using server = await serve((_request, response) => {
      stream = response;
      response.write(added('a'));
    });
    await using connection = connectTo({ server: server.url });
    const events = await connection.client.watch(configMaps, options());
    let seen = 0;
    const outcome = failure(
      (async () => {
        for await (const event of events) {
          seen += event.type === 'ADDED' ? 1 : 0;
        }
      })(),
    );
    await until(() => seen === 1);
    await connection.clock.advance(80_000);
    stream?.write(added('b'));
    await until(() => seen === 2);
    await connection.clock.advance(89_999);
    expect(connection.clock.waiting).toBe(1);
    await connection.clock.advance(1);
    expect(await outcome).toMatchObject({ reason: 'Timeout' });
  });

  test('not because its reader is slow', async () => {
    let stream: ServerResponse | undefined;
    await using server = await serve((_request, response) => {
      stream = response;
      response.write(added('a'));
    });
    await using connection = connectTo({ server: server.url });
    const seen: string[] = [];
    for await (const event of await connection.client.watch(configMaps, options())) {
      seen.push(event.type);
      await connection.clock.advance(1_000_000);
      stream?.end(seen.length === 1 ? added('b') : '');
    }
    expect(seen).toEqual(['ADDED', 'ADDED']);
  });

  test("when the caller's signal aborts: before, at the opening, within the stream", async () => {
    await using server = await serve(() => {});
    await using connection = connectTo({ server: server.url });
    expect(await failure(connection.client.watch(configMaps, options(AbortSignal.abort())))).toBeInstanceOf(
      AbortedError,
    );
    expect(server.requests).toHaveLength(0);

    const opening = new AbortController();
    const refused = failure(connection.client.watch(configMaps, options(opening.signal)));
    await until(() => server.requests.length === 1);
    opening.abort();
    expect(await refused).toBeInstanceOf(AbortedError);

    server.respond = (_request, response) => response.writeHead(200).flushHeaders();
    const running = new AbortController();
    const events = await connection.client.watch(configMaps, options(running.signal));
    const ended = failure(collect(events));
    await settle();
    running.abort();
    expect(await ended).toBeInstanceOf(AbortedError);
  });

  test('when the connection is closed', async () => {
    await using server = await serve((_request, response) => response.writeHead(200).flushHeaders());
    await using connection = connectTo({ server: server.url });
    const ended = failure(collect(await connection.client.watch(configMaps, options())));
    await connection.client.close();
    expect(await ended).toBeInstanceOf(AbortedError);
  });
});
