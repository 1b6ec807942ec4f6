import type { EksSettings } from './issuer-settings.ts';
import { type CommandForm, type ExecEntry, ignored, readCommandForm } from './plugin-options.ts';

const variables = new Map([
  ['AWS_PROFILE', 'profile'],
  ['AWS_REGION', 'region'],
  ['AWS_DEFAULT_REGION', 'region'],
  // Regional endpoints are always used; every cluster takes them.
  ['AWS_STS_REGIONAL_ENDPOINTS', ignored],
]);

const forms: Readonly<Record<'aws' | 'aws-iam-authenticator', CommandForm>> = {
  aws: {
    tool: 'aws eks get-token',
    words: ['eks', 'get-token'],
    options: new Map([
      ['--region', 'region'],
      ['--profile', 'profile'],
      ['--cluster-name', 'cluster'],
      ['--cluster-id', 'cluster'],
      ['--role-arn', 'role'],
      // update-kubeconfig writes it so: the AWS CLI completes it.
      ['--role', 'role'],
      ['--session-name', 'session'],
      ['--output', ignored],
    ]),
    variables,
  },
  'aws-iam-authenticator': {
    tool: 'aws-iam-authenticator token',
    words: ['token'],
    options: new Map([
      ['-i', 'cluster'],
      ['--cluster-id', 'cluster'],
      ['-r', 'role'],
      ['--role', 'role'],
      ['-s', 'session'],
      ['--session-name', 'session'],
      ['-e', 'external'],
      ['--external-id', 'external'],
      ['--region', 'region'],
    ]),
    variables,
  },
};

/** What `aws eks update-kubeconfig`, eksctl and aws-iam-authenticator's users write. */
export function readEks(
  tool: keyof typeof forms,
  entry: ExecEntry,
  server: string | undefined,
  problems: string[],
): EksSettings | undefined {
  const before = problems.length;
  const form = forms[tool];
  const values = readCommandForm(form, entry.args, entry.env, problems);
  const clusterId = values.get('cluster');
  const region = values.get('region') ?? regionOf(server);
  const roleArn = values.get('role');
  if (problems.length > before) {
    return undefined;
  }
  if (clusterId === undefined || !/^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$/.test(clusterId)) {
    problems.push(`${form.tool}: the cluster's name is missing or not valid`);
  }
  // It becomes part of the host that requests are signed for and sent to.
  if (region === undefined || !/^[a-z]{2,4}(-[a-z]{2,12}){1,3}-\d{1,2}$/.test(region)) {
    problems.push(`${form.tool}: the region is missing or not valid: add --region`);
  }
  if (roleArn !== undefined && !/^arn:[a-z-]{3,20}:iam::\d{12}:role\/[\w+=,.@/-]{1,600}$/.test(roleArn)) {
    problems.push(`${form.tool}: the role is no ARN of an IAM role`);
  }
  if (problems.length > before || clusterId === undefined || region === undefined) {
    return undefined;
  }
  return {
    provider: 'eks',
    clusterId,
    region,
    roleArn,
    sessionName: values.get('session'),
    externalId: values.get('external'),
    profile: values.get('profile'),
  };
}

/** The region in the address of an EKS cluster. */
function regionOf(server: string | undefined): string | undefined {
  const host = server === undefined ? '' : (URL.parse(server)?.hostname ?? '');
  return /\.([a-z]+(?:-[a-z]+)+-\d+)\.(?:eks\.amazonaws\.com(?:\.cn)?|api\.aws)$/.exec(host)?.[1];
}
