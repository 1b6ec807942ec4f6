/**
 * The certificate with a damaged public key: it can still be parsed, until somebody asks for its key. PEM of an RSA
 * certificate in, PEM out.
 */
export function withDamagedKey(certPem: string): string {
  const der = Buffer.from(certPem.replace(/-----[^-]+-----/g, ''), 'base64');
  // AlgorithmIdentifier rsaEncryption with NULL; the BIT STRING with the key follows.
  const algorithm = Buffer.from('06092a864886f70d0101010500', 'hex');
  const bitString = der.indexOf(algorithm) + algorithm.length;
  const key = der.indexOf(0x30, bitString + 3);
  der[key] = 0x31;
  const lines = der.toString('base64').replace(/(.{64})/g, '$1\n');
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
}
