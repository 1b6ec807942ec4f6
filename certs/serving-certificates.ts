/** What a TLS server is given: `server.setSecureContext({ cert: certPem, key: keyPem })`. */
export interface ServingCertificate {
  readonly certPem: string;
  readonly keyPem: string;
}

/** When certificates expire, milliseconds since the epoch; undefined while there is none. */
export interface Expiry {
  readonly leaf: number | undefined;
  readonly authority: number | undefined;
}

/** What it takes to keep a CA bundle of our own current. */
export interface Upkeep {
  /** How often the CA bundle was written since the start. Twice a year is normal. */
  readonly caBundleWrites: number;
  /** How far the own clock is ahead of the API server's, milliseconds; undefined before the first answer. */
  readonly clockOffsetMs: number | undefined;
}

/** A source of serving certificates: our own CA, or a mounted folder. */
export interface ServingCertificates {
  /** Keeps the certificate current until the signal aborts. Never rejects: failures are logged and retried. */
  run(signal: AbortSignal): Promise<void>;
  /** For readiness: undefined when clients can verify the certificate in use, else why not, in constant words. */
  problem(): string | undefined;
  /** For metrics. */
  expiry(): Expiry;
  /** For metrics; undefined where somebody else keeps the CA bundle. */
  upkeep(): Upkeep | undefined;
}
