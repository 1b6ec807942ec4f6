/** What a request to an API server asks for, in Kubernetes' words. */
export interface RequestKind {
  /** get, list, watch, create, update, patch, delete, deletecollection; for other paths the method in lower case. */
  readonly verb: string;
  /** Such as `configmaps` or `secrets/status`; for paths that are no resource, the path. */
  readonly resource: string;
  /** Empty for cluster-wide requests. */
  readonly namespace: string;
  /** Empty for collections and creations. */
  readonly name: string;
  /** Whether only metadata was asked for. */
  readonly metadataOnly: boolean;
}

const resourcePath = /^\/(?:api\/[^/]+|apis\/[^/]+\/[^/]+)\/(.+)$/;
const named: Readonly<Record<string, string>> = {
  GET: 'get',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
};
const unnamed: Readonly<Record<string, string>> = {
  GET: 'list',
  POST: 'create',
  DELETE: 'deletecollection',
};

/** @param url path and query as the API server sees them */
export function requestKind(method: string, url: string, accept: string): RequestKind {
  const [path = '', query = ''] = url.split('?', 2);
  const metadataOnly = accept.includes('as=PartialObjectMetadata');
  const segments = resourcePath.exec(path)?.[1]?.split('/');
  if (segments === undefined) {
    return { verb: method.toLowerCase(), resource: path, namespace: '', name: '', metadataOnly };
  }
  const namespaced = segments[0] === 'namespaces' && segments.length > 2;
  const [resource = '', name = '', subresource] = namespaced ? segments.slice(2) : segments;
  const verb =
    (name === '' ? unnamed : named)[method] ?? (method === 'POST' ? 'create' : method.toLowerCase());
  return {
    verb: verb === 'list' && /(?:^|&)watch=(?:true|1)(?:&|$)/.test(query) ? 'watch' : verb,
    resource: subresource === undefined ? resource : `${resource}/${subresource}`,
    namespace: namespaced ? (segments[1] ?? '') : '',
    name,
    metadataOnly,
  };
}
