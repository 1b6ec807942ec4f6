import { beforeAll, expect, test } from 'vitest';
import { makeCa } from '../../../../../certs/issue.ts';
import { defaultRotationPolicy } from '../../../../../certs/rotation-policy.ts';
import { certificateProblem, keyProblem } from '../../../../../shared/kube/kubeconfig/pem.ts';
import { withDamagedKey } from '../../../certs/damaged-key.ts';
import { quickKeys } from '../../../certs/quick-keys.ts';

let pair: { readonly certPem: string; readonly keyPem: string };

beforeAll(async () => {
  pair = await makeCa(defaultRotationPolicy, Date.UTC(2026, 10, 23), quickKeys());
});

test('a certificate and its key have no problem', () => {
  expect(certificateProblem(pair.certPem)).toBeUndefined();
  expect(keyProblem(pair.keyPem, pair.certPem)).toBeUndefined();
});

test('a certificate whose public key is damaged is a problem, and no exception', () => {
  const damaged = withDamagedKey(pair.certPem);
  expect(certificateProblem(damaged)).toBe('holds a certificate that cannot be parsed (number 1)');
  expect(keyProblem(pair.keyPem, damaged)).toBeUndefined();
});
