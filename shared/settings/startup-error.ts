/**
 * The process cannot start with what it was given. Each problem is one sentence for a person: which setting, which
 * value, what is allowed. The command line prints them without a stack trace and exits with status 2.
 */
export class StartupError extends Error {
  override readonly name: string = 'StartupError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[], options?: ErrorOptions) {
    super(problems.join('\n'), options);
    this.problems = problems;
  }
}
