import { resolve } from 'node:path';
import { decodeBase64 } from './pem.ts';
import type { Material } from './spec.ts';

/**
 * A field that exists as a file and as base64 in place (`<name>-data`). As for kubectl, the data wins. Without a base
 * directory the kubeconfig did not come from a file, and files are refused: a user who can write that
 * kubeconfig could otherwise send files of this process, such as its own token, to a server of their choice.
 */
export function readMaterialField(
  name: string,
  file: string | undefined,
  data: string | undefined,
  baseDirectory: string | undefined,
  problems: string[],
): Material | undefined {
  if (data === undefined) {
    return readFileField(name, file, baseDirectory, problems);
  }
  const text = decodeBase64(data);
  if (text === undefined) {
    problems.push(`${name}-data is not base64`);
    return undefined;
  }
  return { text };
}

/** A path, made absolute; see above. */
export function readFileField(
  name: string,
  file: string | undefined,
  baseDirectory: string | undefined,
  problems: string[],
): { readonly file: string } | undefined {
  if (file === undefined) {
    return undefined;
  }
  if (baseDirectory === undefined) {
    problems.push(
      `${name} names a file, which a kubeconfig that is no file itself cannot: embed the content`,
    );
    return undefined;
  }
  return { file: resolve(baseDirectory, file) };
}
