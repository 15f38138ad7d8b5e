import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Fleet, Operation } from '../../automation/fleet/index.ts';
import type { Ask } from '../../components/onedata-request.ts';
import { clientKey } from '../../sidecar/src/front/request-checks.ts';
import { refused } from './answers.ts';
import type { AuditLog, Deed } from './audit.ts';
import type { InstanceBoard } from './board.ts';
import type { ConsoleConfig } from './config.ts';
import type { Taken, UserLimits } from './limits.ts';
import type { Operations } from './operations.ts';
import type { Rules } from './rules/rules.ts';
import type { Usage } from './usage/usage.ts';
import type { Visitor } from './visitors.ts';

/** What the routes of the pages share. */

export interface ApiParts {
  readonly config: ConsoleConfig;
  readonly fleet: Fleet;
  readonly board: InstanceBoard;
  readonly operations: Operations;
  readonly audit: AuditLog;
  readonly limits: UserLimits;
  readonly rules: Pick<Rules, 'of'>;
  readonly usage: Pick<Usage, 'of' | 'ofUser' | 'users' | 'since'>;
  readonly visitorOf: (request: FastifyRequest) => Promise<Visitor | undefined>;
  readonly ask?: Ask;
  /** ms since 1970. */
  readonly now: () => number;
}

declare module 'fastify' {
  interface FastifyRequest {
    visitor: Visitor;
  }
}

export const nameOf = (request: FastifyRequest) => (request.params as { name: string }).name;
export const isForAll = (request: FastifyRequest) => (request.query as { all?: string }).all === '1';

/**
 * Begins an operation, and writes down who did it before it is done.
 * @param detail names of what is changed, without values
 */
export async function perform(
  request: FastifyRequest,
  reply: FastifyReply,
  { audit, operations, board }: ApiParts,
  what: { readonly instance: string; readonly action: string; readonly detail?: string },
  make: () => Operation,
): Promise<FastifyReply> {
  const { user } = request.visitor;
  const client = clientKey(request.headers, request.ip);
  if (!tell(request, audit, { user: user.id, ...what, outcome: 'begun', client }))
    return reply.code(503).send(refused('not-recorded'));
  try {
    await operations.begin(user, make);
  } catch (error) {
    tell(request, audit, { user: user.id, ...what, outcome: 'refused', client });
    throw error;
  }
  board.tell();
  return reply.code(202).send({});
}

/**
 * As `perform`, of what makes an instance of a user larger. Nothing is awaited between the look at the limits and the
 * reservation.
 * @param size of the instance afterwards, and whose it is
 */
export async function performWithin(
  request: FastifyRequest,
  reply: FastifyReply,
  parts: ApiParts,
  what: Parameters<typeof perform>[3],
  size: { readonly owner: string; readonly taken: Taken },
  make: () => Operation,
): Promise<FastifyReply> {
  const { limits, board } = parts;
  const { owner, taken } = size;
  const over = request.visitor.user.isOperator ? {} : limits.over(owner, what.instance, taken);
  if (Object.keys(over).length > 0) return reply.code(422).send({ ...refused('over-limit'), over });
  return perform(request, reply, parts, what, () => {
    const settled = limits.reserve(owner, what.instance, taken);
    const operation = make();
    const end = () => void board.refresh().finally(settled);
    operation.result.then(end, end);
    return operation;
  });
}

export function tell(request: FastifyRequest, audit: AuditLog, deed: Deed): boolean {
  try {
    audit.write(deed);
    return true;
  } catch (error) {
    request.log.error(`The audit log cannot be written, so nothing is done: ${(error as Error).message}`);
    return false;
  }
}
