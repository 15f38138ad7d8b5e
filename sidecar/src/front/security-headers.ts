/**
 * Headers of every answer, whoever writes it. Scripts and styles come from this host's files alone; noVNC draws its
 * pointer and pictures from `data:` and `blob:` addresses. HSTS is left to the site: it binds a whole host name.
 */
export type SecurityHeaders = Readonly<Record<string, string>>;

/** @param formTargets origins to which a form of this one may lead, by a redirect too */
export function securityHeaders(publicOrigin: string, formTargets: readonly string[] = []): SecurityHeaders {
  const webSocketOrigin = publicOrigin.replace(/^http/, 'ws');
  const policy = [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data: blob:",
    `connect-src 'self' ${webSocketOrigin}`,
    ["form-action 'self'", ...formTargets].join(' '),
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
  return {
    'content-security-policy': policy,
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'x-frame-options': 'DENY',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
    'permissions-policy':
      'clipboard-read=(self), clipboard-write=(self), fullscreen=(self), camera=(), microphone=(), geolocation=()',
    'x-robots-tag': 'noindex, nofollow',
    'cache-control': 'no-store',
  };
}
