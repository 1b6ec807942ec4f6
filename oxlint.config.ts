import { defineConfig, type OxlintOverride } from 'oxlint';

/** Packages that one place alone may import, and why. */
const packages: readonly {
  readonly names: readonly string[];
  readonly only: RegExp;
  readonly why: string;
}[] = [
  { names: ['undici'], only: /^shared\/kube/, why: 'only shared/kube talks to API servers' },
  {
    names: ['@kubernetes/client-node'],
    only: /^test/,
    why: 'it would cost every start 0.2 s and 50 MB; tests compare the credentials with those that it makes',
  },
  {
    names: ['google-auth-library', '@azure/msal-node', '@aws-sdk/credential-providers'],
    only: /^shared\/kube\/credentials/,
    why: 'only shared/kube/credentials talks to clouds',
  },
  { names: ['express'], only: /^webhook/, why: 'only webhook/ serves with express' },
  { names: ['node-forge'], only: /^certs/, why: 'only certs/ makes certificates' },
  { names: ['commander'], only: /^cli/, why: 'only cli/ reads the command line' },
  { names: ['node:process'], only: /^cli/, why: 'only entry points touch the process' },
];

/** The top-level folders of the product, each above all that it may import. */
export const rooms: Readonly<Record<string, readonly string[]>> = {
  shared: [],
  certs: ['shared'],
  controller: ['shared'],
  webhook: ['certs', 'shared'],
  cli: ['certs', 'controller', 'shared', 'webhook'],
};

/**
 * The layers of a folder, from the bottom to the top: an entry imports those of the layers before its own only, and none beside it.
 * A test asks for each entry of the folder to be named once: one that is not would be above all of them.
 */
export const layers: Readonly<Record<string, readonly (readonly string[])[]>> = {
  shared: [
    ['clock.ts', 'is-record.ts', 'keys.ts', 'logger.ts', 'nearest-name.ts', 'sync-contexts.ts'],
    ['kube', 'log', 'process-environment.ts', 'token-bucket.ts', 'wakeup.ts'],
    ['error-fields.ts', 'synced-kind.ts'],
    ['catalog', 'settings'],
    ['http', 'rules'],
  ],
  'shared/kube': [
    ['backoff.ts', 'errors.ts', 'object.ts', 'resource.ts'],
    ['kubeconfig'],
    ['credentials'],
    ['client.ts'],
    ['connection', 'reflector'],
    ['watch-object.ts'],
  ],
  controller: [
    ['settings', 'events'],
    ['lease'],
    ['copy'],
    ['contexts'],
    ['source'],
    ['guard'],
    ['kept'],
    ['claims'],
    ['target'],
    ['reconcile'],
    ['lane'],
    ['observe'],
    ['shards.ts'],
    ['engine.ts'],
    ['term.ts'],
    ['shared-term.ts'],
    ['main.ts'],
  ],
};

/** What a folder or a file may not import. A later override replaces an earlier one, so each states everything. */
function restricted(place: string, forbidden: { group: string[]; message: string }[]): OxlintOverride {
  const paths = packages
    .filter(({ only }) => !only.test(place))
    .flatMap(({ names, why }) => names.map((name) => ({ name, message: why })));
  return {
    files: [isFile(place) ? place : `${place}/**/*.ts`],
    rules: { 'eslint/no-restricted-imports': ['error', { paths, patterns: forbidden }] },
  };
}

function isFile(place: string): boolean {
  return place.endsWith('.ts');
}

function outside(room: string): { group: string[]; message: string } {
  const allowed = rooms[room] ?? [];
  const others = [...Object.keys(rooms), 'test'].filter(
    (other) => other !== room && !allowed.includes(other),
  );
  return {
    group: others.map((other) => `**/${other}/**`),
    message: `${room}/ imports ${allowed.length === 0 ? 'no other folder' : allowed.map((name) => `${name}/`).join(', ')} of the top level`,
  };
}

/** What the layers say of a place: of every folder around it that has layers. */
function above(place: string): { group: string[]; message: string }[] {
  return Object.entries(layers).flatMap(([folder, ranks]) => {
    const names = place.startsWith(`${folder}/`) ? place.slice(folder.length + 1).split('/') : [];
    const rank = ranks.findIndex((entries) => entries.includes(names[0] ?? ''));
    if (rank < 0) {
      return [];
    }
    const up = isFile(place) ? names.length - 1 : names.length;
    const prefix = up === 0 ? './' : '../'.repeat(up);
    const group = ranks
      .slice(rank)
      .flat()
      .filter((entry) => entry !== names[0])
      .map((entry) => `${prefix}${isFile(entry) ? entry : `${entry}/**`}`);
    const below = ranks.slice(0, rank).flat().join(', ') || 'nothing';
    return group.length === 0 ? [] : [{ group, message: `in ${folder}/, ${names[0]} imports ${below} only` }];
  });
}

const roomOverrides = [
  ...Object.keys(rooms).map((room) => restricted(room, [outside(room)])),
  ...Object.entries(layers).flatMap(([folder, ranks]) =>
    ranks.flat().map((entry) => {
      const place = `${folder}/${entry}`;
      return restricted(place, [outside(folder.split('/')[0] ?? folder), ...above(place)]);
    }),
  ),
];

/** Entry points and tests touch the process: its arguments, environment, signals and end. */
const processRules = {
  'node/no-process-env': 'off',
  'unicorn/no-process-exit': 'off',
  'eslint/no-restricted-globals': 'off',
} as const;

export default defineConfig({
  plugins: ['typescript', 'import', 'node', 'promise', 'unicorn', 'oxc', 'vitest'],
  categories: { correctness: 'error', suspicious: 'error' },
  options: { typeAware: true },
  ignorePatterns: ['dist', 'node_modules'],
  rules: {
    'typescript/no-floating-promises': 'error',
    'typescript/no-misused-promises': 'error',
    'typescript/await-thenable': 'error',
    'typescript/no-explicit-any': 'error',
    'typescript/no-non-null-assertion': 'error',
    'typescript/no-unsafe-argument': 'error',
    'typescript/no-unsafe-assignment': 'error',
    'typescript/no-unsafe-call': 'error',
    'typescript/no-unsafe-member-access': 'error',
    'typescript/no-unsafe-return': 'error',
    'typescript/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
    'typescript/consistent-return': 'off',
    'typescript/only-throw-error': 'error',
    'typescript/consistent-type-imports': 'error',
    'eslint/no-console': 'error',
    'eslint/eqeqeq': 'error',
    'eslint/no-var': 'error',
    'eslint/prefer-const': 'error',
    'eslint/no-await-in-loop': 'off',
    'eslint/no-underscore-dangle': 'off',
    'eslint/no-shadow': 'off',
    'unicorn/no-array-sort': 'off',
    'unicorn/consistent-function-scoping': 'off',
    'import/no-cycle': 'error',
    'import/no-unassigned-import': 'off',
    'node/no-process-env': 'error',
    'unicorn/no-process-exit': 'error',
    'eslint/no-restricted-globals': ['error', 'process'],
  },
  overrides: [
    ...roomOverrides,
    { files: ['cli/**/*.ts'], rules: processRules },
    {
      files: ['test/**/*.ts', 'vitest.config.ts'],
      rules: {
        ...processRules,
        'eslint/no-console': 'off',
        'vitest/no-disabled-tests': 'error',
        'vitest/no-focused-tests': 'error',
        'vitest/expect-expect': [
          'error',
          {
            assertFunctionNames: [
              'expect',
              'expect*',
              'appears',
              'disappears',
              'eventually',
              'eventAbout',
              'fc.assert',
            ],
          },
        ],
        'vitest/require-mock-type-parameters': 'off',
      },
    },
  ],
});
