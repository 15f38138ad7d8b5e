import type { FastifyInstance } from 'fastify';
import * as z from 'zod';
import { clientKey } from '../../../sidecar/src/front/request-checks.ts';
import { knownVersions } from '../../../stacks/versions.ts';
import { type Announcement, MAX_ANNOUNCEMENT } from '../announcement.ts';
import { refused } from '../answers.ts';
import { type ApiParts, tell } from '../api-parts.ts';
import type { Instances } from '../instances.ts';
import type { AuditView, SiteView } from '../view-types.ts';
import type { Drifts } from './drifts.ts';
import { siteRow } from './site-row.ts';
import type { Upgrades } from './upgrades.ts';

/** What operators see and do of the whole site. For anybody else there is nothing here. */

export interface SiteParts extends ApiParts {
  readonly drifts: Drifts;
  readonly upgrades: Upgrades;
  readonly announcement: Announcement;
}

const MAX_WAVE = 10;
const MAX_INSTANCES = 2000;
const MAX_LINES = 200;
const name = z.string().max(200);
const driftSchema = z.strictObject({ name });
const upgradeSchema = z.strictObject({
  version: z.enum(knownVersions()),
  wave: z.int().min(1).max(MAX_WAVE),
  names: z.array(name).min(1).max(MAX_INSTANCES),
});
const announcementSchema = z.strictObject({ text: z.string().max(MAX_ANNOUNCEMENT) });
const auditSchema = z.strictObject({ find: z.string().max(200).default('') });

export async function addSiteRoutes(
  api: FastifyInstance,
  parts: SiteParts,
  instances: Instances,
): Promise<void> {
  const { board, audit, drifts, upgrades, announcement } = parts;
  await api.register(
    async (site) => {
      site.addHook('preHandler', async (request, reply) =>
        request.visitor.user.isOperator ? undefined : reply.code(404).send(refused('not-found')),
      );

      site.get('/', async ({ visitor }): Promise<SiteView> => {
        // What instances say themselves is asked for in the background, and there the next time.
        board.sweep();
        const { instances: views, seenAt, isOld } = instances.list(visitor, true, 'known');
        const rows = views.map((view) => siteRow(view, board.find(view.name), drifts.of(view.name)));
        const { running } = drifts;
        return {
          rows,
          ...{ seenAt, isOld, versions: knownVersions(), maxWave: MAX_WAVE },
          canAnnounce: announcement.canChange,
          cpuTime: { since: parts.usage.since, users: parts.usage.users() },
          ...(running === undefined ? {} : { comparing: running }),
          ...(upgrades.view === undefined ? {} : { upgrade: upgrades.view }),
        };
      });

      site.get('/audit', async (request): Promise<AuditView> => {
        const { find } = auditSchema.parse(request.query);
        return { deeds: await audit.newest(MAX_LINES, find.trim().toLowerCase()) };
      });

      site.post('/drift', async (request, reply) => {
        const { name } = driftSchema.parse(request.body);
        const found = board.find(name);
        if (found === undefined) return reply.code(404).send(refused('not-found'));
        if (found.operation?.state === 'running' || drifts.running !== undefined)
          return reply.code(409).send(refused('busy'));
        const { user } = request.visitor;
        const client = clientKey(request.headers, request.ip);
        if (
          !tell(request, audit, { user: user.id, action: 'compare', instance: name, outcome: 'done', client })
        )
          return reply.code(503).send(refused('not-recorded'));
        void drifts.begin(name);
        return reply.code(202).send({});
      });

      site.post('/upgrade', async (request, reply) => {
        const { version, wave, names } = upgradeSchema.parse(request.body);
        const found = [...new Set(names)].map((each) => board.find(each));
        const wanted = found.flatMap((each) =>
          each?.lastUpdate === undefined || each.version === version ? [] : [each],
        );
        if (found.includes(undefined) || wanted.length === 0)
          return reply.code(422).send(refused('answers-wrong'));
        if (upgrades.view?.isOver === false) return reply.code(409).send(refused('busy'));
        const { user } = request.visitor;
        const client = clientKey(request.headers, request.ip);
        const detail = `${version}: ${wanted.length} instances, waves of ${wave}`;
        if (!tell(request, audit, { user: user.id, action: 'upgrade', outcome: 'begun', detail, client }))
          return reply.code(503).send(refused('not-recorded'));
        const ordered = wanted.map((each) => ({ name: each.name, isPaused: each.isPaused === true }));
        return upgrades.begin(user, { version, wave, instances: ordered })
          ? reply.code(202).send({})
          : reply.code(409).send(refused('busy'));
      });

      site.post('/upgrade/continue', async (request, reply) => {
        if (upgrades.view?.isInterrupted !== true) return reply.code(409).send(refused('busy'));
        const { user } = request.visitor;
        const client = clientKey(request.headers, request.ip);
        if (!tell(request, audit, { user: user.id, action: 'upgrade-continue', outcome: 'begun', client }))
          return reply.code(503).send(refused('not-recorded'));
        const isPaused = (each: string) => {
          const found = board.find(each);
          return found && found.isPaused === true;
        };
        return upgrades.continue(user, isPaused)
          ? reply.code(202).send({})
          : reply.code(409).send(refused('busy'));
      });

      site.post('/upgrade/stop', async (request, reply) => {
        const { user } = request.visitor;
        const client = clientKey(request.headers, request.ip);
        if (!tell(request, audit, { user: user.id, action: 'upgrade-stop', outcome: 'done', client }))
          return reply.code(503).send(refused('not-recorded'));
        return upgrades.stop() ? reply.send({}) : reply.code(409).send(refused('busy'));
      });

      site.post('/announcement', async (request, reply) => {
        const { text } = announcementSchema.parse(request.body);
        if (!announcement.canChange) return reply.code(404).send(refused('not-found'));
        const { user } = request.visitor;
        const client = clientKey(request.headers, request.ip);
        if (!tell(request, audit, { user: user.id, action: 'announce', outcome: 'begun', client }))
          return reply.code(503).send(refused('not-recorded'));
        await announcement.change(text);
        return reply.send({});
      });
    },
    { prefix: '/site' },
  );
}
