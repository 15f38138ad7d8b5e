import Fastify, { type FastifyInstance } from 'fastify';
import { GuardedServer } from '../front/guarded-server.ts';
import type { GatewayMetrics } from './metrics.ts';

/** The kubelet, the monitoring and whoever else is in the pod. */
const LIMITS = { maxKnown: 0, maxStrangers: 64, readsPerSecond: 200, changesPerSecond: 10 } as const;
const busy = () => 'There are too many requests.';

/**
 * The port that only the kubelet and the monitoring reach. Live: the event loop turns. Ready: the pages are served;
 * never whether data or desktop are there, since the page is what tells about them.
 */
export function createProbes(metrics: GatewayMetrics, isServing: () => boolean): FastifyInstance {
  const guard: { current?: GuardedServer } = {};
  const app = Fastify({
    logger: false,
    forceCloseConnections: true,
    bodyLimit: 1,
    serverFactory: (listener) => {
      guard.current = new GuardedServer({ ...LIMITS, isKnown: () => false, headers: {}, busy }, listener);
      return guard.current.server;
    },
    clientErrorHandler: (error, socket) => guard.current?.clientError(error, socket),
  }) as unknown as FastifyInstance;
  app.addHook('onRequest', async (request, reply) => {
    if (request.is404) return reply.code(404).header('connection', 'close').send('not here\n');
    return undefined;
  });
  for (const path of ['/livez', '/healthz']) app.get(path, async () => 'ok\n');
  app.get('/readyz', async (_request, reply) =>
    isServing() ? 'ok\n' : reply.code(503).send('the gateway is starting or stopping\n'),
  );
  app.get('/metrics', async (_request, reply) => {
    reply.type(metrics.registry.contentType);
    return metrics.registry.metrics();
  });
  return app;
}
