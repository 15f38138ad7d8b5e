import { writeFileSync } from 'node:fs';
import type * as z from 'zod';
import { code, defaultText, table } from '../stacks/docs.ts';
import { notesOf } from '../stacks/fields.ts';
import { SITE_FIELDS, SITE_SECRETS } from './schema.ts';

/** Writes docs/site-reference.md from the schema: `npm run docs`. */

export const SITE_REFERENCE_FILE = new URL('../docs/site-reference.md', import.meta.url);

export function siteReference(): string {
  const rows = Object.entries<z.ZodType>(SITE_FIELDS).map(([key, type]) => {
    const notes = notesOf(type);
    return [code(key), notes.description, notes.allowed, code(notes.example), defaultText(type, notes)];
  });
  return [
    '# Configuration of a site',
    '',
    '<!-- Written by `npm run docs` from site/schema.ts. -->',
    '',
    'What the program in `site/` takes, as [site.md](site.md) shows it: `pulumi config set KEY VALUE`, lists and objects as JSON.',
    '',
    ...table(['Key', 'Meaning', 'Allowed', 'Example', 'Default'], rows),
    '',
    '## Secrets',
    '',
    '`pulumi config set --secret KEY` asks for each; a file is given by `pulumi config set --secret KEY < FILE`.',
    '',
    ...table(
      ['Key', 'Meaning'],
      Object.entries(SITE_SECRETS).map(([key, meaning]) => [code(key), meaning]),
    ),
    '',
  ].join('\n');
}

if (import.meta.main) writeFileSync(SITE_REFERENCE_FILE, siteReference());
