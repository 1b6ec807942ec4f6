import { Ajv, type Format, type ValidateFunction } from 'ajv';
import { exclusiveGroups, type SettingsTable } from '../../shared/settings/setting.ts';

/**
 * Compiles the JSON Schema of a table's settings: an object that knows all given settings, those of a flag and those of
 * the file together. It reports every error, not only the first.
 */
export function compileSettingsSchema(table: SettingsTable): ValidateFunction {
  const formats: Record<string, Format> = {};
  const properties: Record<string, object> = {};
  for (const [key, { type }] of Object.entries(table)) {
    if (type.json === 'boolean') {
      properties[key] = { type: 'boolean' };
    } else if (type.choices !== undefined) {
      properties[key] = { type: 'string', enum: type.choices };
    } else {
      // The format's check is the very parser that yields the value: they cannot disagree.
      formats[key] = (text: string) => type.parse(text) !== undefined;
      properties[key] = { type: 'string', format: key };
    }
  }
  // strictRequired would want the properties repeated in every branch of oneOf.
  const ajv = new Ajv({ allErrors: true, strict: true, strictRequired: false, formats });
  const groups = exclusiveGroups(table).map((keys) => ({ oneOf: keys.map((key) => ({ required: [key] })) }));
  return ajv.compile({
    type: 'object',
    additionalProperties: false,
    properties,
    required: Object.keys(table).filter((key) => table[key]?.required),
    // JSON Schema does not allow an empty allOf.
    ...(groups.length === 0 ? {} : { allOf: groups }),
  });
}
