import { createHash, createHmac } from 'node:crypto';

/** The secret of an access key, and whom it stands for. */
export interface AccessKey {
  readonly secret: string;
  readonly sessionToken: string;
  readonly identity: string;
}

/** Whom an EKS token stands for, as EKS and STS find out: by AWS's Signature Version 4, independent of the library that signs. */
export function verifyEksToken(
  token: string,
  clusterId: string,
  keys: ReadonlyMap<string, AccessKey>,
  now: number,
): string {
  const [, encoded] = /^k8s-aws-v1\.([A-Za-z0-9_-]+)$/.exec(token) ?? [];
  const url = new URL(Buffer.from(encoded ?? '', 'base64url').toString('utf8'));
  const query = url.searchParams;
  const value = (name: string): string => query.get(name) ?? refuse(`${name} is missing`);
  const [accessKeyId = '', day = '', region = '', service = '', end = ''] =
    value('X-Amz-Credential').split('/');
  const key = keys.get(accessKeyId) ?? refuse('InvalidClientTokenId');
  const host = `sts.${region}.amazonaws.com`;
  if (url.host !== host || url.pathname !== '/' || value('Action') !== 'GetCallerIdentity') {
    refuse('not a request to STS for the caller');
  }
  if (
    value('X-Amz-SignedHeaders') !== 'host;x-k8s-aws-id' ||
    value('X-Amz-Security-Token') !== key.sessionToken
  ) {
    refuse('headers or session');
  }
  const expires = Number(value('X-Amz-Expires'));
  const date = value('X-Amz-Date');
  const signedAt = Date.parse(
    date.replace(/^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})Z$/, '$1-$2-$3T$4:$5:$6Z'),
  );
  if (!(expires > 0 && expires <= 60) || !(Math.abs(now - signedAt) <= 15 * 60_000)) {
    refuse('ExpiredToken');
  }
  const canonicalQuery = [...query]
    .filter(([name]) => name !== 'X-Amz-Signature')
    .map(([name, part]) => `${encode(name)}=${encode(part)}`)
    .sort()
    .join('&');
  const request = [
    'GET',
    '/',
    canonicalQuery,
    `host:${host}`,
    `x-k8s-aws-id:${clusterId}`,
    '',
    'host;x-k8s-aws-id',
    sha256(''),
  ].join('\n');
  const toSign = ['AWS4-HMAC-SHA256', date, `${day}/${region}/${service}/${end}`, sha256(request)].join('\n');
  const signingKey = [day, region, 'sts', 'aws4_request'].reduce<string | Buffer>(
    (secret, part) => createHmac('sha256', secret).update(part).digest(),
    `AWS4${key.secret}`,
  );
  if (createHmac('sha256', signingKey).update(toSign).digest('hex') !== value('X-Amz-Signature')) {
    refuse('SignatureDoesNotMatch');
  }
  return key.identity;
}

function refuse(why: string): never {
  throw new Error(why);
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
