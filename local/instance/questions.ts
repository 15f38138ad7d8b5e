import {
  FORM_LABELS,
  type FormKey,
  hostChoices,
  type InstanceSummary,
  othersOnSpace,
  presetOf,
  type ReadableSpace,
  readToken,
  SIDE_LABELS,
  SIZE_KEYS,
  type Side,
  type StackValues,
  type TokenReading,
  wrongAnswer,
} from '../../automation/fleet/index.ts';
import type { Ask } from '../../components/onedata-request.ts';
import { notesOf } from '../../stacks/fields.ts';
import { tokenElsewhere } from '../../stacks/judge.ts';
import { SETTING_FIELDS } from '../../stacks/schema.ts';
import { knownVersions } from '../../stacks/versions.ts';
import type { GivenAnswers } from './answers.ts';
import type { Prompts } from './prompts.ts';

/** What a form would ask, one question at a time, each answer checked at once. What was given is not asked again. */

export interface Circumstances {
  readonly name: string;
  /** What the site says for all stacks; of an instance that exists, what it has. */
  readonly base: StackValues;
  /** Absent: nobody is there to be asked. */
  readonly prompts: Prompts | undefined;
  readonly others: readonly InstanceSummary[];
  /** Tells a warning. */
  readonly warn: (text: string) => void;
  readonly ask?: Ask;
}

interface Answers {
  readonly settings: Record<string, string>;
  readonly secrets: Record<string, string>;
  readonly others: Readonly<Record<string, string>>;
}

/** All that a new instance needs. @throws Error naming all that is missing where nobody can be asked */
export async function askNew(given: GivenAnswers, circumstances: Circumstances): Promise<GivenAnswers> {
  const draft: Answers = {
    settings: { ...given.settings },
    secrets: { ...given.secrets },
    others: given.others,
  };
  const missing: string[] = [];
  const chosen: ReadableSpace[] = [];
  for (const side of ['source', 'project'] as const) {
    const space = await askSide(side, draft, circumstances, missing);
    if (space !== undefined) chosen.push(space);
  }
  if (missing.length > 0)
    throw new Error(
      `Missing for ${circumstances.name}: ${missing.join(', ')}. Give them, or run it on a terminal, where it asks.`,
    );
  warnOfUse(draft, circumstances);
  await askHost(chosen, draft, circumstances);
  for (const key of SIZE_KEYS) await askSetting(key, draft, circumstances);
  return draft;
}

/** Token and space of one side. undefined: the zone could not be asked. */
async function askSide(
  side: Side,
  draft: Answers,
  { base, prompts, warn, ask }: Circumstances,
  missing: string[],
): Promise<ReadableSpace | undefined> {
  const [tokenKey, spaceKey] = [`${side}Token`, `${side}SpaceId`] as const;
  const certificateAuthorities =
    draft.settings.onedataCertificateAuthorities ?? base.values.onedataCertificateAuthorities;
  const read = (token: string) =>
    readToken({ token, side, certificateAuthorities, ...(ask === undefined ? {} : { ask }) });
  const own = { ...base.values, ...draft.settings };
  const isElsewhere = tokenElsewhere(own, tokenKey) !== undefined || base.secretKeys.has(tokenKey);
  let reading: TokenReading = { kind: 'unasked', message: '' };
  const givenToken = draft.secrets[tokenKey];
  if (givenToken !== undefined) {
    reading = await read(givenToken);
    if (reading.kind === 'unusable') throw new Error(`${tokenKey}: ${reading.message}`);
  } else if (!isElsewhere) {
    if (prompts === undefined) missing.push(`--${side}-token-file FILE`);
    else
      draft.secrets[tokenKey] = await prompts.secret(`${SIDE_LABELS[side].token}:`, async (text) => {
        if (side === 'project' && text.trim() === draft.secrets.sourceToken)
          return 'This is the token of the raw data; your work needs a token of its own, which may write.';
        reading = await read(text);
        return reading.kind === 'unusable' ? reading.message : true;
      });
  }
  if (reading.kind === 'unasked' && reading.message !== '') warn(reading.message);
  const spaces = reading.kind === 'spaces' ? reading.spaces : undefined;
  const wanted = draft.settings[spaceKey] ?? base.values[spaceKey];
  if (wanted === undefined && prompts === undefined) {
    missing.push(`--${side}-space ID-OR-NAME`);
    return undefined;
  }
  const space =
    wanted !== undefined
      ? spaceCalled(wanted, spaces, side)
      : await chooseSpace(side, spaces, prompts as Prompts, draft);
  draft.settings[spaceKey] = typeof space === 'string' ? space : space.id;
  if (typeof space === 'string') return undefined;
  for (const { message } of space.advice) warn(message);
  return space;
}

/** One new token, for whatever the instance has. */
export async function askToken(side: Side, { prompts, base, warn, ask }: Circumstances): Promise<string> {
  const draft: Answers = { settings: {}, secrets: {}, others: {} };
  await askSide(side, draft, { name: '', base, prompts, others: [], warn, ...(ask ? { ask } : {}) }, []);
  return draft.secrets[`${side}Token`] ?? '';
}

/** By id or by name. @throws Error with those that there are */
function spaceCalled(
  wanted: string,
  spaces: readonly ReadableSpace[] | undefined,
  side: Side,
): ReadableSpace | string {
  if (spaces === undefined) return wanted;
  const found = spaces.filter(({ id }) => id === wanted);
  const named = found.length > 0 ? found : spaces.filter(({ name }) => name === wanted);
  const [space] = named;
  const list = spaces.map(({ id, name }) => `${name} (${id})`).join(', ');
  if (space === undefined || named.length > 1)
    throw new Error(
      `--${side}-space: ${named.length > 1 ? `${named.length} spaces have this name` : `the ${side} token opens no such space`}; it opens: ${list}.`,
    );
  if (space.fault !== undefined) throw new Error(`--${side}-space ${space.name}: ${space.fault.message}`);
  return space;
}

async function chooseSpace(
  side: Side,
  spaces: readonly ReadableSpace[] | undefined,
  prompts: Prompts,
  draft: Answers,
): Promise<ReadableSpace | string> {
  if (spaces === undefined)
    return prompts.text(`${SIDE_LABELS[side].space}, its id:`, undefined, (text) =>
      SETTING_FIELDS.sourceSpaceId.safeParse(text).success
        ? true
        : `Expected ${notesOf(SETTING_FIELDS.sourceSpaceId).allowed}.`,
    );
  const isTaken = (space: ReadableSpace) => side === 'project' && space.id === draft.settings.sourceSpaceId;
  return prompts.choose(
    `${SIDE_LABELS[side].space}:`,
    spaces.map((space) => {
      const why = space.fault?.message ?? (isTaken(space) ? 'it is the space with the raw data' : undefined);
      return {
        value: space,
        name: space.name,
        description: `id ${space.id}, at ${space.providers.join(', ') || 'no provider'}`,
        ...(why === undefined ? {} : { disabled: why }),
      };
    }),
  );
}

/** Two instances on one space: the second one waits for the lease of the first. */
function warnOfUse({ settings }: Answers, { others, name, warn }: Circumstances): void {
  const users = othersOnSpace(settings.projectSpaceId, name, others);
  if (users.length === 0) return;
  warn(
    `The project space is the one of ${users.map((user) => user.name).join(', ')}: only one instance can write it at a time, the other one waits.`,
  );
}

/** Only where there is something to choose. */
async function askHost(spaces: readonly ReadableSpace[], draft: Answers, { base, prompts }: Circumstances) {
  if (prompts === undefined || draft.settings.onedataHost || base.values.onedataHost) return;
  const common = hostChoices(spaces);
  if (common.length === 0) return;
  const host = await prompts.choose<string>('Provider of both spaces:', [
    {
      value: '',
      name: 'found from the tokens',
      description: 'to write always the same one, to read the quickest',
    },
    ...common.map((value) => ({ value, name: value })),
  ]);
  if (host !== '') draft.settings.onedataHost = host;
}

/** One setting; an answer that says the default leaves it to the default. */
export async function askSetting(
  key: FormKey,
  draft: Answers,
  { name, base, prompts }: Circumstances,
): Promise<void> {
  if (prompts === undefined || draft.settings[key] !== undefined) return;
  const preset = presetOf(key, base);
  const check = (text: string) => {
    const allowed = wrongAnswer(key, name, base, { ...draft, settings: { ...draft.settings, [key]: text } });
    return allowed === undefined ? true : `Allowed: ${allowed}.`;
  };
  const label = `${FORM_LABELS[key]}:`;
  const message = `${label.charAt(0).toUpperCase()}${label.slice(1)}`;
  const answer =
    key === 'version'
      ? await prompts.choose(
          message,
          knownVersions().map((value) => ({ value, name: value })),
          preset,
        )
      : await prompts.text(message, preset, check);
  if (answer.trim() !== preset) draft.settings[key] = answer.trim();
}
