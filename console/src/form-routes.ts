import type { FastifyInstance, FastifyRequest } from 'fastify';
import * as z from 'zod';
import {
  type Draft,
  FleetError,
  FORM_LABELS,
  type FormKey,
  INSTANCE_NAME,
  judged,
  othersOnSpace,
  presetOf,
  readToken,
  SIZE_KEYS,
  type StackValues,
  type Values,
  withChanges,
  wrongAnswer,
} from '../../automation/fleet/index.ts';
import { notesOf } from '../../stacks/fields.ts';
import { SETTING_FIELDS } from '../../stacks/schema.ts';
import { knownVersions } from '../../stacks/versions.ts';
import type { ApiParts } from './api-parts.ts';
import { takenBySettings } from './limits.ts';
import type { Allowances, CheckAnswer, FormField, NewForm, TokenAnswer } from './view-types.ts';
import type { Visitor } from './visitors.ts';

/** What a form is made of and what is said of its answers, before anything is begun. Nothing of it is kept. */

export const isName = (text: string) =>
  INSTANCE_NAME.test(text) && SETTING_FIELDS.namespace.safeParse(text).success;
const MAX_VALUE = 500;
const MAX_TOKEN = 16_384;
/** Tokens that one user has looked at in a minute; each asks a host that the token names. */
const TOKENS_PER_MINUTE = 30;

const sizesSchema = z.partialRecord(z.enum(SIZE_KEYS), z.string().max(MAX_VALUE));
const settingsSchema = z.partialRecord(
  z.enum(Object.keys(FORM_LABELS) as [FormKey, ...FormKey[]]),
  z.string().max(MAX_VALUE),
);
export const tokenSchema = z.string().max(MAX_TOKEN);

export const changeSchema = z.strictObject({ settings: sizesSchema });
export const newSchema = z.strictObject({
  name: z.string().max(200),
  settings: settingsSchema,
  sourceToken: tokenSchema,
  projectToken: tokenSchema,
});
const tokenQuestionSchema = z.strictObject({
  side: z.enum(['source', 'project']),
  token: tokenSchema,
  name: z.string().max(200).default(''),
});
const checkSchema = z.strictObject({ name: z.string().max(200), settings: settingsSchema });

/** Stands in a draft for a token that is judged elsewhere. */
const SOME_TOKENS = {
  sourceToken: 'stands-for-the-token-of-the-source',
  projectToken: 'stands-for-the-token-of-the-project',
};

const SOME_SPACES = { sourceSpaceId: 'stands-for-the-source', projectSpaceId: 'stands-for-the-project' };

export function fieldsOf(base: StackValues, keys: readonly FormKey[]): FormField[] {
  return keys.map((key) => {
    const { description, allowed } = notesOf(SETTING_FIELDS[key]);
    const choices = key === 'version' ? { choices: knownVersions() } : {};
    return { key, label: FORM_LABELS[key], description, allowed, preset: presetOf(key, base), ...choices };
  });
}

/** Key → what is allowed, of all answers that are wrong. */
export function wrongAnswers(
  name: string,
  base: StackValues,
  draft: Draft,
  keys: readonly FormKey[],
): Readonly<Record<string, string>> {
  const found = keys.flatMap((key) => {
    const allowed = wrongAnswer(key, name, base, draft);
    return allowed === undefined ? [] : [[key, allowed] as const];
  });
  return Object.fromEntries(found);
}

/** Options of a route that costs more than an answer from memory. */
export const perMinute = (max: number) => ({
  config: {
    rateLimit: {
      max,
      timeWindow: 60_000,
      hook: 'preHandler' as const,
      keyGenerator: (request: FastifyRequest) => request.visitor.user.id,
    },
  },
});

export function addFormRoutes(api: FastifyInstance, parts: ApiParts): void {
  const { fleet, board, config, limits, ask } = parts;
  /** What the site says for a stack that is not there. */
  const site = () => fleet.values('a-new-one');

  api.get(
    '/form',
    async (request): Promise<NewForm> => ({
      fields: fieldsOf(await site(), SIZE_KEYS),
      allowances: request.visitor.user.isOperator ? {} : limits.allowances(request.visitor.user.id),
    }),
  );

  /** What the user would have with an instance of these answers; nothing where they are wrong. */
  const wouldBe = ({ user }: Visitor, name: string, base: StackValues, settings: Values): Allowances => {
    if (user.isOperator) return {};
    const draft = { settings: { ...SOME_SPACES, ...settings }, secrets: SOME_TOKENS };
    try {
      return limits.would(user.id, name, takenBySettings(judged(withChanges('a-new-one', base, draft))));
    } catch (error) {
      if (error instanceof FleetError) return {};
      throw error;
    }
  };

  api.post('/check', async (request): Promise<CheckAnswer> => {
    const { name, settings } = checkSchema.parse(request.body);
    const draft = { settings, secrets: SOME_TOKENS };
    const base = await site();
    const wrong = wrongAnswers('a-new-one', base, draft, SIZE_KEYS);
    const would = wouldBe(request.visitor, name, base, settings as Values);
    // Whose it is, is nobody's business; that it is taken would be found out anyway.
    const isTaken = board.find(name) !== undefined;
    return { wrong, isName: isName(name), isTaken, would };
  });

  api.post('/token', perMinute(TOKENS_PER_MINUTE), async (request): Promise<TokenAnswer> => {
    const { side, token, name } = tokenQuestionSchema.parse(request.body);
    const { values } = await site();
    const certificateAuthorities = values.onedataCertificateAuthorities;
    const reading = await readToken({
      token,
      side,
      certificateAuthorities,
      zones: config.zones,
      ...(ask === undefined ? {} : { ask }),
    });
    if (reading.kind !== 'spaces') return reading;
    const all = side === 'project' ? board.all() : [];
    const spaces = reading.spaces.map((space) => ({
      ...space,
      ...(space.fault === undefined
        ? {}
        : { fault: { code: space.fault.code, message: space.fault.message } }),
      usedBy: othersOnSpace(space.id, name, all).map((other) => ({
        name: other.name,
        owner: other.owner ?? null,
      })),
    }));
    return { ...reading, spaces };
  });
}
