/** As Go and the Kubernetes project's archives name them. */
export interface Platform {
  readonly os: string;
  readonly arch: string;
}

const goNames: Readonly<Record<string, string>> = {
  x64: 'amd64',
  ia32: '386',
  ppc64: 'ppc64le',
  win32: 'windows',
};

/** This machine's, from Node's names for it. */
export function thisPlatform(): Platform {
  return {
    os: goNames[process.platform] ?? process.platform,
    arch: goNames[process.arch] ?? process.arch,
  };
}
