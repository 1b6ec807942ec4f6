import { readFile } from 'node:fs/promises';
import { CredentialsError, errorCode } from '../errors.ts';
import type { ConnectionSettings, Material } from '../kubeconfig/spec.ts';
import type { MaterialTexts } from './credentials.ts';
import { lifetimeOf } from './lifetime.ts';
import type { CredentialProvider } from './provider.ts';

/** Files are looked at this often at most: client-go's rhythm. The kubelet renews a token long before it expires. */
const lookAgainMs = 60_000;

/** What the kubeconfig itself holds, or names as files. */
export function givenCredentials(settings: ConnectionSettings): CredentialProvider {
  return {
    name: 'kubeconfig',
    renewal: readsFiles(settings) ? { kind: 'look', everyMs: lookAgainMs } : { kind: 'never' },
    advice: () => 'renew them in the kubeconfig',
    async obtain() {
      const texts = await readMaterial(settings);
      return { texts, ...lifetimeOf(texts) };
    },
  };
}

/** True where anything of it lies in a file, which can be replaced under our feet. */
function readsFiles(settings: ConnectionSettings): boolean {
  return [
    settings.certificateAuthority,
    settings.clientCertificate?.certificate,
    settings.clientCertificate?.key,
    settings.token,
  ].some((material) => material !== undefined && 'file' in material);
}

/** Reads all texts. Throws CredentialsError. */
export async function readMaterial(settings: ConnectionSettings): Promise<MaterialTexts> {
  const [ca, certificate, key, token] = await Promise.all([
    read(settings.certificateAuthority, 'certificate authority'),
    read(settings.clientCertificate?.certificate, 'client certificate'),
    read(settings.clientCertificate?.key, 'client key'),
    read(settings.token, 'token'),
  ]);
  // The newline that ends most token files is not legal in a header.
  return { ca, certificate, key, token: token?.trim() };
}

async function read(material: Material | undefined, what: string): Promise<string | undefined> {
  if (material === undefined) {
    return undefined;
  }
  return 'text' in material ? material.text : await readCredentialFile(what, material.file);
}

/** The content of a file that is not empty. Throws CredentialsError, which names `what` and the path. */
export async function readCredentialFile(what: string, path: string): Promise<string> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new CredentialsError(`the ${what} file ${path} cannot be read (${errorCode(error)})`);
  }
  // A file that is being replaced can be seen empty. Without its text we would go on as nobody.
  if (text.trim() === '') {
    throw new CredentialsError(`the ${what} file ${path} is empty`);
  }
  return text;
}
