import type { ControlPlane } from '../sandbox/control-plane/control-plane.ts';
import { eventually } from './eventually.ts';

export interface DenyingPolicy {
  readonly name: string;
  readonly resources: readonly ('configmaps' | 'secrets')[];
  readonly operations: readonly ('CREATE' | 'UPDATE')[];
  /** CEL: objects for which it is false are refused. */
  readonly expression: string;
  /** CEL: what the refusal says. */
  readonly messageExpression?: string;
  /** An object that must be refused: the policy is in effect once it is. */
  readonly refused: {
    readonly kind: 'ConfigMap' | 'Secret';
    readonly type?: string;
    readonly data?: Readonly<Record<string, string>>;
    readonly metadata?: Readonly<Record<string, unknown>>;
  };
}

const group = '/apis/admissionregistration.k8s.io/v1';

/** Puts a ValidatingAdmissionPolicy in place, and waits until the API server obeys it. */
export async function deny(place: ControlPlane, policy: DenyingPolicy): Promise<void> {
  const { name, resources, operations, expression, messageExpression, refused } = policy;
  await place.request('POST', `${group}/validatingadmissionpolicies`, {
    metadata: { name },
    spec: {
      failurePolicy: 'Fail',
      matchConstraints: {
        resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], operations, resources }],
      },
      validations: [{ expression, ...(messageExpression === undefined ? {} : { messageExpression }) }],
    },
  });
  await place.request('POST', `${group}/validatingadmissionpolicybindings`, {
    metadata: { name },
    spec: { policyName: name, validationActions: ['Deny'] },
  });
  const plural = refused.kind === 'ConfigMap' ? 'configmaps' : 'secrets';
  await eventually(`the policy ${name} is in effect`, async () => {
    const { status } = await place.request(
      'POST',
      `/api/v1/namespaces/default/${plural}?dryRun=All`,
      { ...refused, metadata: { ...refused.metadata, name: 'refused' } },
      { allowFailure: true },
    );
    if (status < 400) {
      throw new Error('the object is still accepted');
    }
  });
}

/** Takes the policy away again; the API server follows within moments. */
export async function allowAgain(place: ControlPlane, name: string): Promise<void> {
  await place.request('DELETE', `${group}/validatingadmissionpolicybindings/${name}`);
  await place.request('DELETE', `${group}/validatingadmissionpolicies/${name}`);
}
