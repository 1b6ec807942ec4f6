/** The settings in which controller and webhook must agree. */
export interface Installation {
  /** Prefix of all annotations and labels. */
  readonly annotationPrefix: string;
  /** The program's own namespace on the source cluster. */
  readonly namespace: string;
}

export const installationKeys = [
  'annotationPrefix',
  'namespace',
] as const satisfies readonly (keyof Installation)[];
