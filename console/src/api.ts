import type { FastifyInstance } from 'fastify';
import { addActionRoutes } from './action-routes.ts';
import { refused } from './answers.ts';
import { isForAll, nameOf } from './api-parts.ts';
import { addEventRoutes } from './event-routes.ts';
import { addFormRoutes } from './form-routes.ts';
import { Instances } from './instances.ts';
import { isSameSecret } from './sessions.ts';
import { addSiteRoutes, type SiteParts } from './site/site-routes.ts';
import type { Me } from './view-types.ts';

/** What the pages ask: everything under `/api/`, of whoever is signed in. */

/** Requests of one user a minute. */
const PER_MINUTE = 600;

export async function addApi(app: FastifyInstance, parts: SiteParts): Promise<void> {
  await app.register(
    async (api) => {
      api.addHook('onRequest', async (request, reply) => {
        const visitor = await parts.visitorOf(request);
        if (visitor === undefined) {
          reply.header('connection', 'close');
          return reply.code(401).send(refused('signed-out'));
        }
        request.visitor = visitor;
        const isRead = request.method === 'GET' || request.method === 'HEAD';
        if (isRead || isSameSecret(request.headers['x-csrf-token'], visitor.csrf)) return undefined;
        reply.header('connection', 'close');
        return reply.code(403).send(refused('not-from-here'));
      });
      const limit = api.createRateLimit({
        max: PER_MINUTE,
        timeWindow: 60_000,
        keyGenerator: (request) => request.visitor.user.id,
      });
      api.addHook('preHandler', async (request, reply) => {
        const found = await limit(request);
        if (found.isAllowed || !found.isExceeded) return undefined;
        return reply.code(429).header('retry-after', '60').send(refused('too-many'));
      });
      const instances = new Instances(parts);
      api.get('/me', async ({ visitor }): Promise<Me> => {
        const { name, isOperator } = visitor.user;
        const text = await parts.announcement.text();
        return {
          ...{ name, isOperator, csrf: visitor.csrf, canSignOut: visitor.session !== undefined },
          ...(text === undefined ? {} : { announcement: text }),
        };
      });
      api.get('/instances', async (request) => instances.list(request.visitor, isForAll(request)));
      api.get('/instances/:name', async (request, reply) => {
        const view = instances.view(request.visitor, nameOf(request));
        return view ?? reply.code(404).send(refused('not-found'));
      });
      addEventRoutes(api, parts, instances);
      addFormRoutes(api, parts);
      addActionRoutes(api, parts, instances);
      await addSiteRoutes(api, parts, instances);
    },
    { prefix: '/api' },
  );
}
