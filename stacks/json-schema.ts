import { type JsonShape, notesOf, shapeOf } from './fields.ts';
import { SECRET_KEYS, SETTING_FIELDS } from './schema.ts';

/** JSON Schema of a stack's file (`stacks/Pulumi.NAME.yaml`), for editors: what each key may be, with its description. */

const SECRET: JsonShape = {
  type: 'object',
  properties: { secure: { type: 'string' } },
  required: ['secure'],
  additionalProperties: false,
};

/** An empty value takes back what Pulumi.yaml says. */
const EMPTY: JsonShape = { const: '' };

export function stackFileSchema(): JsonShape {
  const settings = Object.entries(SETTING_FIELDS).map(([key, type]) => {
    const { description, allowed, example } = notesOf(type);
    const about = { description: `${description}\nAllowed: ${allowed}`, examples: [example] };
    return [`scipion:${key}`, { ...about, anyOf: [shapeOf(type), EMPTY] }];
  });
  const secrets = Object.entries(SECRET_KEYS).map(([key, { description }]) => {
    const about = `${description}\nSet it with: pulumi config set --secret scipion:${key} --stack NAME`;
    return [`scipion:${key}`, { ...SECRET, description: about }];
  });
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'A stack of scipion: one instance',
    type: 'object',
    properties: {
      config: {
        type: ['object', 'null'],
        properties: Object.fromEntries([...settings, ...secrets]),
        patternProperties: { '^(kubernetes|pulumi|random):': true },
        additionalProperties: false,
      },
      secretsprovider: { type: 'string' },
      encryptionsalt: { type: 'string' },
      encryptedkey: { type: 'string' },
      environment: true,
    },
    additionalProperties: false,
  };
}
