import { readFileSync, writeFileSync } from 'node:fs';
import { parse } from 'yaml';
import * as z from 'zod';
import { CHANGE_WORDS, CHANGES } from './changes.ts';
import { type FieldNotes, notesOf } from './fields.ts';
import { stackFileSchema } from './json-schema.ts';
import { SECRET_KEYS, SETTING_FIELDS } from './schema.ts';

/** Writes docs/config-reference.md and docs/stack.schema.json from the schema: `npm run docs`. */

const ROOT = new URL('../', import.meta.url);
export const REFERENCE_FILE = new URL('docs/config-reference.md', ROOT);
export const SCHEMA_FILE = new URL('docs/stack.schema.json', ROOT);

const projectSchema = z.looseObject({ config: z.record(z.string(), z.unknown()) });

/** What Pulumi.yaml says for all stacks: key without prefix → value. */
function siteDefaults(): Readonly<Record<string, unknown>> {
  const { config } = projectSchema.parse(parse(readFileSync(new URL('Pulumi.yaml', ROOT), 'utf8')));
  const own = Object.entries(config).filter(([key]) => key.startsWith('scipion:'));
  return Object.fromEntries(own.map(([key, value]) => [key.slice('scipion:'.length), value]));
}

export const code = (text: unknown) => `\`${typeof text === 'string' ? text : JSON.stringify(text)}\``;

type Row = readonly string[];

/** A table with columns of equal width, as the formatter of this repository writes them. */
export function table(header: Row, rows: readonly Row[]): string[] {
  const cells = [header, ...rows].map((row) => row.map((cell) => cell.replaceAll('|', '\\|')));
  const widths = header.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  const line = (row: Row) => `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  const rule = line(widths.map((width) => '-'.repeat(width)));
  return [line(cells[0] ?? []), rule, ...cells.slice(1).map(line)];
}

export function defaultText(type: z.ZodType, notes: FieldNotes): string {
  if (notes.defaultNote !== undefined) return notes.defaultNote;
  const preset = type.safeParse(undefined);
  if (!preset.success) return 'required';
  return preset.data === undefined ? 'none' : code(preset.data);
}

function settingRow([key, type]: [string, z.ZodType], site: Readonly<Record<string, unknown>>): Row {
  const notes = notesOf(type);
  const fromSite = key in site ? `${code(site[key])} in Pulumi.yaml` : undefined;
  const preset = fromSite ?? defaultText(type, notes);
  return [code(key), notes.description, notes.allowed, code(notes.example), preset];
}

function settingTable(group: FieldNotes['group']): string[] {
  const site = siteDefaults();
  const fields = Object.entries<z.ZodType>(SETTING_FIELDS).filter(
    ([, type]) => notesOf(type).group === group,
  );
  const header = ['Key', 'Meaning', 'Allowed', 'Example', 'Default'];
  return table(
    header,
    fields.map((field) => settingRow(field, site)),
  );
}

function secretTable(): string[] {
  const rows = Object.entries(SECRET_KEYS).map(([key, { description, required }]) => [
    code(key),
    description,
    required,
  ]);
  return table(['Key', 'Meaning', 'Required'], rows);
}

/** What happens when a key changes while the instance exists. */
function changeTable(): string[] {
  const keys = Object.entries(CHANGES);
  const rows = Object.entries(CHANGE_WORDS).map(([change, words]) => [
    keys
      .filter(([, each]) => each === change)
      .map(([key]) => code(key))
      .join(', '),
    words,
  ]);
  return table(['Keys', 'What happens'], rows);
}

/** The whole reference as Markdown. */
export function configReference(): string {
  return [
    '# Configuration of a stack',
    '',
    '<!-- Written by `npm run docs` from stacks/schema.ts. -->',
    '',
    'A stack is one instance. Set a key with `pulumi config set scipion:KEY VALUE --stack NAME`; an empty value takes back',
    'what `Pulumi.yaml` says for the whole site. All mistakes are shown at once, a line each, with the command that puts it',
    'right. Sizes are written `50Gi`, durations `5 minutes`, CPUs `2` or `0.5`.',
    '',
    'Editors check a stack file while it is written with [stack.schema.json](stack.schema.json); its first line names it:',
    '`# yaml-language-server: $schema=../docs/stack.schema.json`.',
    '',
    '## What a user says',
    '',
    ...settingTable('user'),
    '',
    '## Secrets',
    '',
    'Set these with `pulumi config set --secret scipion:KEY --stack NAME`, which asks for the value, so that it is stored',
    'encrypted and is in no history of a shell. A token that stands where it does not belong is refused and never shown.',
    '',
    ...secretTable(),
    '',
    '## What a site says once',
    '',
    'These stand in `Pulumi.yaml` for all stacks; a stack may say otherwise.',
    '',
    ...settingTable('site'),
    '',
    '## What can change later',
    '',
    ...changeTable(),
    '',
    '`sourceMount` and `projectMount` are refused where one of the two values is `claim/NAME`: another claim is another space. What an',
    '`up` means for one stack is said at the terminal and in the comment of a pull request.',
    '',
    '## Removing',
    '',
    '`npm run destroy` (which is `pulumi destroy --run-program`) saves the project to its space, then removes everything',
    'of the instance, volumes and namespace included. The spaces stay. If the save fails nothing is removed.',
    '`paused` set to `true` stops the pod and keeps the volumes.',
    '',
  ].join('\n');
}

/** The JSON schema as a file. */
export const schemaText = (): string => `${JSON.stringify(stackFileSchema(), null, 2)}\n`;

if (import.meta.main) {
  writeFileSync(REFERENCE_FILE, configReference());
  writeFileSync(SCHEMA_FILE, schemaText());
}
