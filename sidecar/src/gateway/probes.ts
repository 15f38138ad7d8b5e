import Fastify, { type FastifyInstance } from 'fastify';
import type { GatewayMetrics } from './metrics.ts';

/**
 * The port that only the kubelet and the monitoring reach. Live: the event loop turns. Ready: the pages are served;
 * never whether data or desktop are there, since the page is what tells about them.
 */
export function createProbes(metrics: GatewayMetrics, isServing: () => boolean): FastifyInstance {
  const app = Fastify({ logger: false, forceCloseConnections: true });
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
