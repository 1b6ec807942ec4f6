import type { Clock, Random } from '../shared/clock.ts';
import type { KubeClient } from '../shared/kube/client.ts';
import type { KubeObject } from '../shared/kube/object.ts';
import { Reflector } from '../shared/kube/reflector.ts';
import type { Resource } from '../shared/kube/resource.ts';
import type { Logger } from '../shared/logger.ts';

/**
 * Calls `onChange` whenever one named object changed or may have. It only says that a look is worth while: what is
 * there is read afresh. The field selector lets a right that names the object suffice.
 */
export function changeWatch(options: {
  readonly client: KubeClient;
  readonly resource: Resource;
  readonly namespace: string | undefined;
  readonly name: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly onChange: () => void;
}): Reflector<KubeObject, KubeObject> {
  const { onChange, name, ...rest } = options;
  return new Reflector<KubeObject, KubeObject>({
    ...rest,
    fieldSelector: `metadata.name=${name}`,
    firstListShape: 'metadata',
    shape: 'metadata',
    handler: {
      project: (object) => object,
      replaced: onChange,
      event: onChange,
      // Retried by the reflector; the regular look goes on meanwhile.
      failed: () => undefined,
    },
  });
}
