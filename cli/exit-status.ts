/** How the process ends. */
export const exitStatus = {
  /** Stopped as asked, or printed what was asked for. */
  clean: 0,
  /** Failed while running. */
  failure: 1,
  /** Cannot start with what it was given. */
  badInput: 2,
} as const;

export type ExitStatus = (typeof exitStatus)[keyof typeof exitStatus];
