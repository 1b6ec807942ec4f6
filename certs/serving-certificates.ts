/** What a TLS server is given: `server.setSecureContext({ cert: certPem, key: keyPem })`. */
export interface ServingCertificate {
  readonly certPem: string;
  readonly keyPem: string;
  /** PEM of the authorities that the webhook configuration is to trust; undefined where others see to that. */
  readonly caBundle: string | undefined;
}

/** When certificates expire, milliseconds since the epoch; undefined while there is none. */
export interface Expiry {
  readonly leaf: number | undefined;
  readonly authority: number | undefined;
}

/** A source of serving certificates: our own authority, or a mounted folder. */
export interface ServingCertificates {
  /** Keeps the certificate current until the signal aborts. Never rejects: what fails is logged and retried. */
  run(signal: AbortSignal): Promise<void>;
  /** For readiness: undefined when clients can verify the certificate in use, else why not, in constant words. */
  problem(): string | undefined;
  /** For metrics. */
  expiry(): Expiry;
}
