/** The levels of the log, from the gravest to the least serious; the number is winston's rank. */
export const logLevels = { error: 0, warn: 1, info: 2, debug: 3 } as const;

export type LogLevel = keyof typeof logLevels;
export type LogFormat = 'json' | 'text';
