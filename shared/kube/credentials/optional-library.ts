import { CredentialsError } from '../errors.ts';

/**
 * Loads a library that an installation can do without. Called when a context needs it, so that all others neither wait
 * for it nor hold it in memory.
 *
 * @param packages the npm packages, for the message
 * @throws CredentialsError where they are not installed
 */
export async function optionalLibrary<T>(packages: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND') {
      throw new CredentialsError(
        `this installation leaves out the npm packages that the context needs (${packages}): install without --omit=optional`,
      );
    }
    throw error;
  }
}
