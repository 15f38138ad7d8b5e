import { notesOf } from './fields.ts';
import type { Refusal } from './refusal.ts';
import { SETTING_FIELDS, type Settings } from './schema.ts';

/** What may be offered in place of a wrong value, the best first; empty text: no value at all. Pure. */

/** An example that is the text of a file can only be tried where the file is. */
export const isFromFile = (value: string) => value.startsWith('"$(');

const isYesOrNo = (key: keyof Settings) =>
  ['true', 'false'].every((value) => SETTING_FIELDS[key].safeParse(value).success) &&
  !SETTING_FIELDS[key].safeParse('x').success;

const YES = ['true', 'yes', 'y', 'on', '1', 't', 'enabled'];
const NO = ['false', 'no', 'n', 'off', '0', 'f', 'disabled'];

const wordOf = (value: string | undefined) =>
  value?.length === undefined || value.length > 40 ? '' : value.trim().toLowerCase();

function meantYesOrNo(value: string | undefined): boolean | undefined {
  const word = wordOf(value).replaceAll(/^["']|["']$/g, '');
  if (YES.includes(word)) return true;
  return NO.includes(word) ? false : undefined;
}

/** `16 GiB`, `16gb`, `16g`: `16Gi`, `16G`. */
function meantSize(value: string | undefined): string[] {
  const [, amount, unit = '', binary] = /^(\d{1,9})\s*([mgt])(i)?b?$/.exec(wordOf(value)) ?? [];
  return amount === undefined ? [] : [`${amount}${unit.toUpperCase()}${binary ?? ''}`];
}

/** @param found the wrong value; `undefined` where there is none, or where it must not be looked at */
export function candidates(
  key: keyof Settings,
  found: string | undefined,
  refusal: Refusal | undefined,
): readonly string[] {
  const { example, isCareful } = notesOf(SETTING_FIELDS[key]);
  if (refusal !== undefined && 'useless' in refusal) return [''];
  if (isYesOrNo(key)) {
    const meant = meantYesOrNo(found);
    // Whoever wants what cannot be taken back writes it without help.
    if (isCareful) return meant === true ? [] : meant === false ? ['false'] : [''];
    const preset = String(SETTING_FIELDS[key].safeParse(undefined).data);
    return [...(meant === undefined ? [] : [String(meant)]), preset, ''];
  }
  const offered = refusal?.better === undefined ? [] : [refusal.better];
  return [...offered, ...meantSize(found), ...(isCareful ? [] : [example]), ''];
}
