import type { Clock, Random } from '../clock.ts';
import type { Logger } from '../logger.ts';
import type { Shape } from './client.ts';
import type { KubeObject } from './object.ts';
import { Reflector, type ReflectorOptions } from './reflector/reflector.ts';
import type { Resource } from './resource.ts';

export interface ObjectWatchOptions<T extends KubeObject> {
  readonly client: ReflectorOptions<T, T>['client'];
  readonly resource: Resource;
  /** Absent for an object of the cluster. */
  readonly namespace?: string | undefined;
  readonly name: string;
  /** What is seen of it; all unless given. */
  readonly shape?: Shape;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly confirm?: ReflectorOptions<T, T>['confirm'];
  /** The object as it is now: at first, and whenever it changed or may have. */
  readonly onObject: (object: T) => void;
  /** It is not there. */
  readonly onAbsent: (how: 'does not exist' | 'was deleted') => void;
  /** An attempt to read it failed; it is tried again. */
  readonly onFailure?: (error: unknown) => void;
}

/** A reflector of one named object. Its field selector lets a right that names the object suffice. */
export function watchObject<T extends KubeObject>(options: ObjectWatchOptions<T>): Reflector<T, T> {
  const { name, shape = 'full', onObject, onAbsent, onFailure, ...rest } = options;
  return new Reflector<T, T>({
    ...rest,
    fieldSelector: `metadata.name=${name}`,
    firstListShape: shape,
    shape,
    handler: {
      project: (object) => object,
      replaced: ([object]) => {
        if (object === undefined) {
          onAbsent('does not exist');
        } else {
          onObject(object);
        }
      },
      event: ({ type, object }) => {
        if (type === 'DELETED') {
          onAbsent('was deleted');
        } else {
          onObject(object);
        }
      },
      failed: (error) => {
        onFailure?.(error);
      },
    },
  });
}
