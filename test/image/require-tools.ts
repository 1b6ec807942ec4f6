import { command } from './command.ts';

const missing = `\
npm run test:image builds the image with buildah, and its base images with mmdebstrap, as root on Debian or Ubuntu. Install them:

    apt-get install buildah mmdebstrap

`;

/** Before anything is started: throws with what to install when this machine cannot build images. */
export async function setup(): Promise<void> {
  try {
    await Promise.all([command('buildah', '--version'), command('mmdebstrap', '--version')]);
  } catch (error) {
    throw new Error(missing, { cause: error });
  }
}
