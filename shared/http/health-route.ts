import { plainText, type Route } from './http-endpoint.ts';

export interface HealthCheck {
  /** One word, as it appears in the list of checks. */
  readonly name: string;
  /** Undefined when all is well, else the reason: a few constant words, never payload or an error's message. */
  check(): string | undefined;
}

/**
 * Answers as the health endpoints of Kubernetes do: 200 `ok`, or 500 with a line for every check; the lines are also
 * there for `?verbose`. A check that throws has failed.
 *
 * @param name of the endpoint, as in `readyz check passed`
 */
export function healthRoute(name: string, checks: readonly HealthCheck[]): Route {
  return (query) => {
    const results = checks.map((check) => ({ name: check.name, failure: failureOf(check) }));
    const passed = results.every(({ failure }) => failure === undefined);
    if (passed && !query.has('verbose')) {
      return plainText(200, 'ok');
    }
    const lines = results.map((result) =>
      result.failure === undefined ? `[+]${result.name} ok` : `[-]${result.name} failed: ${result.failure}`,
    );
    return plainText(
      passed ? 200 : 500,
      `${[...lines, `${name} check ${passed ? 'passed' : 'failed'}`].join('\n')}\n`,
    );
  };
}

function failureOf(check: HealthCheck): string | undefined {
  try {
    return check.check();
  } catch {
    return 'the check itself failed';
  }
}
