import { expect, it } from 'vitest';
import { readSettings } from '../../../cli/settings/read-settings.ts';
import { StartupError } from '../../../shared/settings/startup-error.ts';
import { type WebhookSettings, webhookSettings, webhookSettingsTable } from '../../../webhook/settings.ts';

async function read(flags: Readonly<Record<string, string>>): Promise<WebhookSettings> {
  const given = Object.entries(flags).map(([key, text]) => ({ key, value: { text } }));
  const values = await readSettings(webhookSettingsTable, { flags: given, problems: [] }, async () => '');
  return webhookSettings(values);
}

it('nothing needs to be given', async () => {
  const settings = await read({});
  expect(settings).toEqual({
    listen: { host: undefined, port: 8443 },
    webhookConfiguration: 'context-syncer',
    servingNames: ['context-syncer-webhook.context-syncer.svc'],
    certDir: undefined,
    clientCa: undefined,
    clientName: undefined,
    kubeconfig: undefined,
    namespace: 'context-syncer',
    annotationPrefix: 'kubed.appscode.com',
    metricsAddress: { host: undefined, port: 8080 },
    healthAddress: { host: undefined, port: 8081 },
    logLevel: 'info',
    logFormat: 'json',
  });
  expect([settings, settings.servingNames].every(Object.isFrozen)).toBe(true);
});

it('the name of the Service follows the namespace', async () => {
  expect((await read({ namespace: 'mine' })).servingNames).toEqual(['context-syncer-webhook.mine.svc']);
});

it('serving names are DNS names and addresses, each once', async () => {
  const settings = await read({ servingNames: 'localhost, 127.0.0.1,::1,a.b.svc,localhost' });
  expect(settings.servingNames).toEqual(['localhost', '127.0.0.1', '::1', 'a.b.svc']);
  expect(Object.isFrozen(settings.servingNames)).toBe(true);
});

it.each<[string, string, string]>([
  ['listen', '0', 'HOST:PORT or :PORT with a port up to 65535 (an IPv6 address in brackets)'],
  [
    'servingNames',
    'a,,b',
    'a comma list of DNS names and IP addresses, such as webhook.example.svc,127.0.0.1',
  ],
  [
    'servingNames',
    'A B',
    'a comma list of DNS names and IP addresses, such as webhook.example.svc,127.0.0.1',
  ],
])('--%s %j is refused', async (key, value, allowed) => {
  const reading = read({ [key]: value });
  await expect(reading).rejects.toBeInstanceOf(StartupError);
  const flag = key === 'listen' ? '--listen' : '--serving-names';
  await expect(reading).rejects.toMatchObject({
    problems: [`${flag} is "${value}", but must be ${allowed}.`],
  });
});

it('the webhook has no Lease to hold', async () => {
  expect(Object.keys(webhookSettingsTable)).not.toContain('leaderElect');
});

it('names of clients are a list, and mean nothing without a CA', async () => {
  const settings = await read({ clientCa: '/ca.crt', clientName: 'kube-apiserver, front-proxy' });
  expect(settings.clientName).toEqual(['kube-apiserver', 'front-proxy']);
  await expect(read({ clientName: 'kube-apiserver' })).rejects.toMatchObject({
    problems: ['--client-ca is missing: --client-name means nothing without it.'],
  });
  await expect(read({ clientName: 'a,,b', clientCa: '/ca.crt' })).rejects.toBeInstanceOf(StartupError);
});
