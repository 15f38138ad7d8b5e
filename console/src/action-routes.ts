import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import * as z from 'zod';
import {
  changesOfKeys,
  EXPIRES_KEY,
  type FormKey,
  judged,
  type Operation,
  SIZE_KEYS,
  type StackValues,
  type Values,
  withChanges,
} from '../../automation/fleet/index.ts';
import { clientKey } from '../../sidecar/src/front/request-checks.ts';
import { refused } from './answers.ts';
import { type ApiParts, nameOf, perform, performWithin, tell } from './api-parts.ts';
import {
  changeSchema,
  fieldsOf,
  isName,
  newSchema,
  perMinute,
  tokenSchema,
  wrongAnswers,
} from './form-routes.ts';
import type { Instances } from './instances.ts';
import { takenBySettings } from './limits.ts';
import type { ChangeMeaning, InstanceView, Refused } from './view-types.ts';

/** What is done to instances: each route is one function of the fleet, after a look at who asks. */

const nothingSchema = z.strictObject({});
/** The last day, in UTC; empty: it does not end. */
const expirySchema = z.strictObject({ date: z.iso.date().or(z.literal('')) });
const removeSchema = z.strictObject({
  /** The name of the instance, typed by its user. */
  typed: z.string().max(200),
  keepSettings: z.boolean().default(false),
  /** The name a second time: what cannot be saved is lost. */
  typedToLose: z.string().max(200).optional(),
});
const tokensSchema = z.strictObject({ side: z.enum(['source', 'project']), token: tokenSchema });

/** Each starts the engine, or asks the cluster. */
const PASSWORDS_PER_MINUTE = 10;
const DAY_MS = 24 * 3_600_000;

const SIMPLE = ['pause', 'restart', 'save'] as const;

export function addActionRoutes(api: FastifyInstance, parts: ApiParts, instances: Instances): void {
  const { fleet, board, audit, config, now } = parts;

  /** A route of one instance, which its visitor may know of. */
  const post = (
    path: string,
    handle: (request: FastifyRequest, reply: FastifyReply, view: InstanceView) => Promise<unknown>,
    options: Partial<ReturnType<typeof perMinute>> = {},
  ) =>
    api.post(`/instances/:name/${path}`, options, async (request, reply) => {
      const view = instances.view(request.visitor, nameOf(request), 'none');
      return view === undefined ? reply.code(404).send(refused('not-found')) : handle(request, reply, view);
    });
  const start = (
    request: FastifyRequest,
    reply: FastifyReply,
    action: string,
    make: () => Operation,
    detail?: string,
  ) => {
    const what = { instance: nameOf(request), action, ...(detail === undefined ? {} : { detail }) };
    return perform(request, reply, parts, what, make);
  };

  const simple: Readonly<Record<(typeof SIMPLE)[number], (name: string) => Operation>> = {
    pause: (name) => fleet.pause(name),
    restart: (name) => fleet.restart(name),
    save: (name) => fleet.saveNow(name),
  };
  /** Of an instance once these settings are its own. */
  const sizeWith = (name: string, owner = '', base: StackValues, settings: Values) => ({
    owner,
    taken: takenBySettings(judged(withChanges(name, base, { settings }))),
  });
  post('resume', async (request, reply, { name, owner, expiresAt }) => {
    nothingSchema.parse(request.body ?? {});
    const isOver = config.expiry !== undefined && Date.parse(expiresAt ?? '') <= now();
    if (isOver && !request.visitor.user.isOperator) return reply.code(422).send(refused('expired'));
    const size = sizeWith(name, owner, await fleet.values(name), { paused: 'false' });
    const what = { instance: name, action: 'resume' };
    return performWithin(request, reply, parts, what, size, () => fleet.resume(name));
  });
  for (const action of SIMPLE)
    post(action, async (request, reply, { name }) => {
      nothingSchema.parse(request.body ?? {});
      return start(request, reply, action, () => simple[action](name));
    });

  post('continue', async (request, reply, { name }) => {
    nothingSchema.parse(request.body ?? {});
    const found = fleet.operation(name);
    if (found === undefined) return reply.code(409).send(refused('unknown'));
    return start(request, reply, found.record.kind, () => fleet.takeUp(name) as Operation, 'continued');
  });

  post('give-up', async (request, reply, { name }) => {
    nothingSchema.parse(request.body ?? {});
    const { user } = request.visitor;
    const client = clientKey(request.headers, request.ip);
    const deed = { user: user.id, action: 'give-up', instance: name, client };
    if (!tell(request, audit, { ...deed, outcome: 'begun' }))
      return reply.code(503).send(refused('not-recorded'));
    await fleet.giveUp(name);
    await board.refresh();
    return reply.send({});
  });

  post('expiry', async (request, reply, { name, mayExtend }) => {
    const { date } = expirySchema.parse(request.body);
    if (!mayExtend) return reply.code(404).send(refused('not-found'));
    const end = date === '' ? undefined : new Date(`${date}T23:59:59Z`);
    return start(request, reply, 'expiry', () => fleet.setExpiry(name, end), date === '' ? 'never' : date);
  });

  post('form', async (request) => ({ fields: fieldsOf(await fleet.values(nameOf(request)), SIZE_KEYS) }));

  /** What changes would mean, and what is wrong with them. */
  const judge = async (name: string, settings: Values) => {
    const base = await fleet.values(name);
    const keys = Object.keys(settings) as FormKey[];
    const wrong = wrongAnswers(name, base, { settings, secrets: {} }, keys);
    return { base, wrong };
  };
  post('meaning', async (request, reply, { name }) => {
    const { settings } = changeSchema.parse(request.body);
    const { base, wrong } = await judge(name, settings as Values);
    if (Object.keys(wrong).length > 0) return reply.code(422).send({ code: 'answers-wrong', wrong });
    const found = changesOfKeys(name, base.values, settings as Values);
    const meanings = found.map(
      ({ key, change, needsRestart }): ChangeMeaning => ({ key, change, needsRestart }),
    );
    return { meanings };
  });
  post('change', async (request, reply, { name, owner }) => {
    const { settings } = changeSchema.parse(request.body);
    const { base, wrong } = await judge(name, settings as Values);
    const answer: Refused = { code: 'answers-wrong', wrong };
    if (Object.keys(wrong).length > 0) return reply.code(422).send(answer);
    const what = { instance: name, action: 'change', detail: Object.keys(settings).join(', ') };
    const size = sizeWith(name, owner, base, settings as Values);
    const change = () => fleet.change(name, { settings: settings as Values });
    return performWithin(request, reply, parts, what, size, change);
  });
  post('token', async (request, reply, { name }) => {
    const { side, token } = tokensSchema.parse(request.body);
    const make = () => fleet.rotateTokens(name, { [`${side}Token`]: token.trim() });
    return start(request, reply, 'token', make, side);
  });

  post('remove', async (request, reply, { name }) => {
    const { typed, typedToLose, keepSettings } = removeSchema.parse(request.body);
    const isTyped = typed === name && (typedToLose === undefined || typedToLose === name);
    if (!isTyped) return reply.code(422).send(refused('name-not-typed'));
    const discardUnsavedChanges = typedToLose !== undefined;
    const detail = discardUnsavedChanges ? 'unsaved work given up' : 'saved first';
    const make = () => fleet.remove(name, { discardUnsavedChanges, keepSettings });
    return start(request, reply, 'remove', make, detail);
  });

  /** The address lets in whoever has it, once: it goes to the owner, in an answer that nobody stores. */
  post(
    'open',
    async (request, reply, { name, isOwn, url }) => {
      nothingSchema.parse(request.body ?? {});
      if (!isOwn) return reply.code(404).send(refused('not-found'));
      const { user } = request.visitor;
      const client = clientKey(request.headers, request.ip);
      const deed = { user: user.id, action: 'open', instance: name, client, outcome: 'done' } as const;
      if (!tell(request, audit, deed)) return reply.code(503).send(refused('not-recorded'));
      const signedIn = await fleet.openingAddress(name, user.id).catch((error: Error) => {
        request.log.warn({ instance: name }, `no code to open it with: ${error.message}`);
        return undefined;
      });
      return { url: signedIn ?? url ?? null };
    },
    perMinute(PASSWORDS_PER_MINUTE),
  );

  /** For its owner alone: an operator looks after instances, and has no business in them. */
  post(
    'password',
    async (request, reply, { name, isOwn }) => {
      nothingSchema.parse(request.body ?? {});
      if (!isOwn) return reply.code(404).send(refused('not-found'));
      const { user } = request.visitor;
      const client = clientKey(request.headers, request.ip);
      const deed = { user: user.id, action: 'password', instance: name, client, outcome: 'done' } as const;
      if (!tell(request, audit, deed)) return reply.code(503).send(refused('not-recorded'));
      const { url = null, password = null } = await fleet.door(name);
      return { url, password };
    },
    perMinute(PASSWORDS_PER_MINUTE),
  );

  api.post('/instances', async (request, reply) => {
    const { name, settings, sourceToken, projectToken } = newSchema.parse(request.body);
    if (!isName(name)) return reply.code(422).send(refused('name-wrong'));
    const { user } = request.visitor;
    // A creation that did not end is continued by whoever began it, with these answers.
    const existing = board.find(name);
    if (existing !== undefined && existing.owner !== user.id) return reply.code(409).send(refused('exists'));
    const secrets = { sourceToken: sourceToken.trim(), projectToken: projectToken.trim() };
    const days = config.expiry?.days;
    const end = days === undefined ? {} : { [EXPIRES_KEY]: new Date(now() + days * DAY_MS).toISOString() };
    const spec = { settings: settings as Values, secrets, owner: user.id, others: end };
    const base = await fleet.values(name);
    const wrong = wrongAnswers(name, base, spec, Object.keys(settings) as FormKey[]);
    const answer: Refused = { code: 'answers-wrong', wrong };
    if (Object.keys(wrong).length > 0) return reply.code(422).send(answer);
    const what = { instance: name, action: 'create', detail: Object.keys(settings).join(', ') };
    const size = { owner: user.id, taken: takenBySettings(judged(withChanges(name, base, spec))) };
    return performWithin(request, reply, parts, what, size, () => fleet.create(name, spec));
  });
}
