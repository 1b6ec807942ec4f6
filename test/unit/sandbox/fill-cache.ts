/** A process of its own that wants the binaries: the environment says where from. */
import { ensureBinaries } from '../../sandbox/binaries/binaries.ts';

const binaries = await ensureBinaries({
  env: process.env,
  indexUrl: process.argv[2] ?? '',
  platform: { os: 'linux', arch: 'amd64' },
});
console.log(binaries.etcd);
