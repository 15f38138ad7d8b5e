import type { FastifyInstance } from 'fastify';

/**
 * Headers of every answer. Scripts and styles come from this host's files alone; noVNC draws its pointer and pictures
 * from `data:` and `blob:` addresses. HSTS is left to the site: it binds a whole host name.
 */
export function addSecurityHeaders(app: FastifyInstance, publicOrigin: string): void {
  const webSocketOrigin = publicOrigin.replace(/^http/, 'ws');
  const policy = [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data: blob:",
    `connect-src 'self' ${webSocketOrigin}`,
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
  const headers = {
    'content-security-policy': policy,
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'x-frame-options': 'DENY',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
    'permissions-policy':
      'clipboard-read=(self), clipboard-write=(self), fullscreen=(self), camera=(), microphone=(), geolocation=()',
    'x-robots-tag': 'noindex, nofollow',
  };
  app.addHook('onRequest', async (_request, reply) => {
    reply.headers(headers);
    reply.header('cache-control', 'no-store');
  });
}
