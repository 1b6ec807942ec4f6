import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { isTlsFailure, transportFailure } from '../../../../../shared/kube/connection/failure.ts';
import { CredentialsError } from '../../../../../shared/kube/errors.ts';

const server = 'https://api:6443';
const withCode = (code: string): Error => Object.assign(new Error('CANARY'), { code, data: 'CANARY' });

test.each([
  ['ECONNREFUSED', 'ConnectionRefused'],
  ['ENOTFOUND', 'NameNotResolved'],
  ['EAI_AGAIN', 'NameNotResolved'],
  ['ECONNRESET', 'ConnectionReset'],
  ['EPIPE', 'ConnectionReset'],
  ['UND_ERR_SOCKET', 'ConnectionReset'],
  ['UND_ERR_CONNECT_TIMEOUT', 'Timeout'],
  ['ETIMEDOUT', 'Timeout'],
  ['CERT_HAS_EXPIRED', 'CertificateNotTrusted'],
  ['SELF_SIGNED_CERT_IN_CHAIN', 'CertificateNotTrusted'],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'CertificateNotTrusted'],
  ['HPE_INVALID_CONSTANT', 'MalformedAnswer'],
  ['EHOSTUNREACH', 'Other'],
  ['ERR_SSL_WRONG_VERSION_NUMBER', 'Other'],
])('%s is %s, by code alone', (code, reason) => {
  const failure = transportFailure(withCode(code), true, server);
  expect(failure).toMatchObject({ reason, sent: true });
  expect(failure.message).toContain(code);
  expect(inspect(failure, { depth: null })).not.toContain('CANARY');
  expect(transportFailure(withCode(code), false, server).sent).toBe(false);
});

test.each([
  'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED',
  'ERR_SSL_SSL/TLS_ALERT_BAD_CERTIFICATE',
  'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA',
])('%s ends a handshake, so a request that was written was never read', (code) => {
  const failure = transportFailure(withCode(code), true, server);
  expect(failure).toMatchObject({ reason: 'ClientCertificateRefused', sent: false });
  expect(isTlsFailure(failure)).toBe(true);
});

test('several addresses that all refuse are one refusal', () => {
  const error = new AggregateError([withCode('ECONNREFUSED'), withCode('EHOSTUNREACH')]);
  expect(transportFailure(error, false, server).reason).toBe('ConnectionRefused');
});

test('credentials that cannot be used say which', () => {
  const failure = transportFailure(new CredentialsError('the token file /t is empty'), true, server);
  expect(failure).toMatchObject({ reason: 'CredentialsUnusable', sent: false });
  expect(failure.message).toContain('the token file /t is empty');
});
