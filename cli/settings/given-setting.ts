import { flagOf } from '../../shared/settings/setting.ts';

/** A value as it was given: text, a list as JSON, nothing (`--flag`, or `key:` in a file), or what no setting has. */
export type GivenValue = { readonly text: string; readonly isList?: true } | 'nothing' | 'a mapping';

/** One setting as the user gave it. `file` is absent for a flag. */
export interface GivenSetting {
  readonly key: string;
  readonly value: GivenValue;
  readonly file?: string;
}

/** Longer values are cut in messages: what was given by mistake may be a whole file. */
const shownCharacters = 100;

/** The setting as the user wrote it: `--log-level`, or `logLevel in FILE`. */
export function writtenAs({ key, file }: GivenSetting): string {
  return file === undefined ? flagOf(key) : `${key} in ${file}`;
}

/** The value in quotes, control characters escaped. */
export function quoted(value: string): string {
  return JSON.stringify(value.length > shownCharacters ? `${value.slice(0, shownCharacters)}…` : value);
}

/** `is "loud"`, `has no value`, `is a list`. */
export function describeValue(value: GivenValue): string {
  if (typeof value === 'object') {
    return value.isList ? 'is a list' : `is ${quoted(value.text)}`;
  }
  return value === 'nothing' ? 'has no value' : `is ${value}`;
}
