import type { FastifyReply } from 'fastify';
import type { FleetError } from '../../automation/fleet/index.ts';
import type { RefusalCode, Refused } from './view-types.ts';

/** Answers that are not the one that was asked for. */

export const refused = (code: RefusalCode, message?: string): Refused => ({
  code,
  ...(message === undefined ? {} : { message }),
});

const STATUS: Readonly<Record<string, number>> = { unknown: 404, busy: 409, exists: 409, settings: 422 };

export const sendFleetError = (reply: FastifyReply, error: FleetError) =>
  reply.code(STATUS[error.code] ?? 500).send(refused(error.code, error.what));
