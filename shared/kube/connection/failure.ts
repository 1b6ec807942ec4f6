import { CredentialsError, TransportError, type TransportErrorReason } from '../errors.ts';

const reasonOfCode: Readonly<Record<string, TransportErrorReason>> = {
  ECONNREFUSED: 'ConnectionRefused',
  ENOTFOUND: 'NameNotResolved',
  EAI_AGAIN: 'NameNotResolved',
  ECONNRESET: 'ConnectionReset',
  EPIPE: 'ConnectionReset',
  ECONNABORTED: 'ConnectionReset',
  UND_ERR_SOCKET: 'ConnectionReset',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'ConnectionReset',
  ETIMEDOUT: 'Timeout',
  UND_ERR_CONNECT_TIMEOUT: 'Timeout',
  UND_ERR_HEADERS_TIMEOUT: 'Timeout',
  UND_ERR_BODY_TIMEOUT: 'Timeout',
  UND_ERR_RES_EXCEEDED_MAX_SIZE: 'MalformedAnswer',
  UND_ERR_HEADERS_OVERFLOW: 'MalformedAnswer',
  // The parser's errors come with a code (HPE_*) or, where undici has no word for it, with their name alone.
  HTTPParserError: 'MalformedAnswer',
  // Names of X509_V_ERR_* as Node gives them for a server certificate that does not verify.
  CERT_HAS_EXPIRED: 'CertificateNotTrusted',
  CERT_NOT_YET_VALID: 'CertificateNotTrusted',
  CERT_REJECTED: 'CertificateNotTrusted',
  CERT_REVOKED: 'CertificateNotTrusted',
  CERT_SIGNATURE_FAILURE: 'CertificateNotTrusted',
  CERT_UNTRUSTED: 'CertificateNotTrusted',
  CERT_CHAIN_TOO_LONG: 'CertificateNotTrusted',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'CertificateNotTrusted',
  ERR_TLS_CERT_ALTNAME_INVALID: 'CertificateNotTrusted',
  HOSTNAME_MISMATCH: 'CertificateNotTrusted',
  INVALID_CA: 'CertificateNotTrusted',
  INVALID_PURPOSE: 'CertificateNotTrusted',
  PATH_LENGTH_EXCEEDED: 'CertificateNotTrusted',
  SELF_SIGNED_CERT_IN_CHAIN: 'CertificateNotTrusted',
  UNABLE_TO_GET_ISSUER_CERT: 'CertificateNotTrusted',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'CertificateNotTrusted',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'CertificateNotTrusted',
};

/**
 * TLS alerts by which a server refuses the certificate that we showed, or did not show. The middle of the code differs
 * between versions of OpenSSL: TLSV1, SSLV3, TLSV13, SSL/TLS.
 */
const clientCertificateAlert =
  /^ERR_SSL_.*_ALERT_(ACCESS_DENIED|BAD_CERTIFICATE|CERTIFICATE_(EXPIRED|REQUIRED|REVOKED|UNKNOWN)|HANDSHAKE_FAILURE|UNKNOWN_CA|UNSUPPORTED_CERTIFICATE)$/;

/**
 * What undici, Node or our own credentials threw, as TransportError. Neither message nor cause is kept, save those of our own credentials: a
 * parser error carries what it could not parse. `written`: bytes of the request may have left.
 */
export function transportFailure(error: unknown, written: boolean, server: string): TransportError {
  if (error instanceof TransportError) {
    return error;
  }
  if (error instanceof CredentialsError) {
    return new TransportError('CredentialsUnusable', false, error.message, { cause: error });
  }
  const code = codeOf(error);
  // A server that refuses our certificate ends the handshake: it never reads the request, though with
  // TLS 1.3 we may have written it by then.
  if (clientCertificateAlert.test(code)) {
    return new TransportError('ClientCertificateRefused', false, detail(server, code));
  }
  const reason = reasonOfCode[code] ?? (code.startsWith('HPE_') ? 'MalformedAnswer' : 'Other');
  return new TransportError(reason, written, detail(server, code));
}

/** True where other certificates could have made the difference. */
export function isTlsFailure(error: unknown): boolean {
  return (
    error instanceof TransportError &&
    (error.reason === 'CertificateNotTrusted' || error.reason === 'ClientCertificateRefused')
  );
}

function detail(server: string, code: string): string {
  return code === '' ? server : `${server} (${code})`;
}

function codeOf(error: unknown): string {
  if (!(error instanceof Error)) {
    return '';
  }
  if ('code' in error && typeof error.code === 'string') {
    // A proxy's TLS failure is wrapped; what is inside says more.
    return error.code.startsWith('UND_ERR_PRX_') ? codeOf(error.cause) || error.code : error.code;
  }
  return error instanceof AggregateError ? codeOf(error.errors[0]) : error.name;
}
