/** What a plugin gets of the process's own environment. */
export const pluginVariables = [
  'PATH',
  'HOME',
  'TMPDIR',
  'HTTPS_PROXY',
  'HTTP_PROXY',
  'NO_PROXY',
  'SSL_CERT_DIR',
  'SSL_CERT_FILE',
] as const;

/**
 * Variables of the process that credentials are made with. Entry points read them and pass them on. The libraries of AWS,
 * Google and Microsoft read more on their own, as their documentation says.
 */
export const credentialVariables: readonly string[] = [
  'AWS_ACCESS_KEY_ID',
  'AWS_CONTAINER_CREDENTIALS_FULL_URI',
  'AWS_CONTAINER_CREDENTIALS_RELATIVE_URI',
  'AWS_PROFILE',
  'AWS_ROLE_ARN',
  'AWS_WEB_IDENTITY_TOKEN_FILE',
  'AZURE_AUTHORITY_HOST',
  'AZURE_CLIENT_ID',
  'AZURE_CLIENT_SECRET',
  'AZURE_FEDERATED_TOKEN_FILE',
  'AZURE_TENANT_ID',
  ...pluginVariables,
];

/** The values of `credentialVariables`, where they are set. */
export type CredentialEnvironment = Readonly<Record<string, string | undefined>>;
