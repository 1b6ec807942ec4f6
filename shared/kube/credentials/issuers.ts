import type { Clock, Random } from '../../clock.ts';
import type { Logger } from '../../logger.ts';
import { CredentialsError } from '../errors.ts';
import type { IssuerSettings } from '../kubeconfig/issuer-settings.ts';
import type { ConnectionSettings } from '../kubeconfig/spec.ts';
import { aksAdvice, aksIssuer } from './aks-token.ts';
import type { MaterialTexts } from './credentials.ts';
import { eksAdvice, eksIssuer } from './eks-token.ts';
import { execAdvice, execIssuer } from './exec-plugin.ts';
import { givenCredentials, readMaterial } from './given.ts';
import { gkeAdvice, gkeIssuer } from './gke-token.ts';
import { lifetimeOf } from './lifetime.ts';
import type { CredentialProvider, ProviderName } from './provider.ts';
import type { CredentialEnvironment } from './variables.ts';

/** What was issued; what is absent here comes from the kubeconfig, or is known from the credentials themselves. */
export type Issued = Partial<Pick<MaterialTexts, 'token' | 'certificate' | 'key'>> & {
  /** Milliseconds since the Unix epoch. */
  readonly expiresAt?: number | undefined;
  readonly identity?: string | undefined;
};

/** Obtains credentials from outside. Throws CredentialsError. */
export type Issuer = (request: { readonly fresh: boolean; readonly signal: AbortSignal }) => Promise<Issued>;

/** How the connections of a process obtain their credentials. */
export interface Issuers {
  readonly random: Random;
  readonly onObtained: (provider: ProviderName, result: 'success' | 'failure') => void;
  /** The provider of one connection. It does nothing yet. */
  provider(settings: ConnectionSettings): CredentialProvider;
}

export interface IssuersOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Variables of the process by name: those that `credentialVariables` lists. */
  readonly environment: CredentialEnvironment;
  readonly onObtained: Issuers['onObtained'];
}

/** Issuers for clouds and plugins. Their libraries are loaded with the first credentials that need them. */
export function createIssuers(options: IssuersOptions): Issuers {
  return {
    random: options.random,
    onObtained: options.onObtained,
    provider: (settings) =>
      settings.issuer === undefined
        ? givenCredentials(settings)
        : issuedCredentials(settings, settings.issuer, options),
  };
}

/** For connections to a process's own cluster: what is in the kubeconfig, and nothing from outside. */
export const givenOnly: Issuers = {
  random: () => 0,
  onObtained: () => undefined,
  provider: (settings) => ({
    ...givenCredentials(settings),
    ...(settings.issuer === undefined ? {} : { obtain: refuseToIssue }),
  }),
};

function refuseToIssue(): Promise<never> {
  return Promise.reject(
    new CredentialsError('this command takes tokens, files and certificates only, and no exec entry'),
  );
}

function issuedCredentials(
  settings: ConnectionSettings,
  issuerSettings: IssuerSettings,
  options: IssuersOptions,
): CredentialProvider {
  const { issue, advice } = issuerOf(settings, issuerSettings, options);
  return {
    name: issuerSettings.provider,
    renewal: { kind: 'expiry' },
    advice,
    async obtain(request) {
      const [given, { expiresAt, identity, ...issued }] = await Promise.all([
        readMaterial(settings),
        issue(request),
      ]);
      const texts = { ...given, ...issued };
      const known = lifetimeOf(texts);
      return { texts, expiresAt: expiresAt ?? known.expiresAt, identity: known.identity ?? identity };
    },
  };
}

function issuerOf(
  settings: ConnectionSettings,
  issuer: IssuerSettings,
  options: IssuersOptions,
): { issue: Issuer; advice: CredentialProvider['advice'] } {
  const { clock, logger, environment } = options;
  switch (issuer.provider) {
    case 'eks':
      return {
        issue: eksIssuer(issuer, clock, environment),
        advice: (identity) => eksAdvice(issuer, identity),
      };
    case 'gke':
      return { issue: gkeIssuer(), advice: gkeAdvice };
    case 'aks':
      return { issue: aksIssuer(issuer, environment), advice: aksAdvice };
    case 'exec':
      return {
        issue: execIssuer(issuer, settings, { clock, logger, environment }),
        advice: (identity) => execAdvice(issuer, identity),
      };
  }
}
