import { ApiError } from '../../../shared/kube/errors.ts';

type Json = Record<string, unknown>;

function isRecord(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** RFC 7386. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isRecord(patch)) return patch;
  const result: Json = isRecord(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = mergePatch(result[key], value);
  }
  return result;
}

/** RFC 6902, the operations add, replace, remove and test on members of objects (not of arrays). */
export function jsonPatch(target: unknown, patch: unknown): unknown {
  const result: unknown = structuredClone(target);
  if (!Array.isArray(patch)) throw new ApiError(400, 'BadRequest');
  for (const step of patch as readonly unknown[]) {
    if (!isRecord(step) || typeof step['path'] !== 'string') throw new ApiError(400, 'BadRequest');
    const keys = step['path']
      .split('/')
      .slice(1)
      .map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'));
    const last = keys.pop() ?? '';
    const parent = keys.reduce<unknown>((at, key) => (isRecord(at) ? at[key] : undefined), result);
    if (!isRecord(parent)) throw new ApiError(422, 'Invalid');
    if (step['op'] === 'test' && JSON.stringify(parent[last]) !== JSON.stringify(step['value'])) {
      throw new ApiError(422, 'Invalid');
    }
    if (step['op'] === 'remove') delete parent[last];
    if (step['op'] === 'add' || step['op'] === 'replace') parent[last] = step['value'];
  }
  return result;
}
