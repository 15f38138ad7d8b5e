import type { IncomingHttpHeaders } from 'node:http';
import { isIPv6 } from 'node:net';
import { LANGUAGE_COOKIE, type Language, preferredLanguage } from '../../web/shared/languages.ts';

/**
 * Whether the request was made by a page of this origin. Browsers set both headers themselves; no page can forge
 * them. `Origin` is `null` on a form of a page that sends no referrer, so `Sec-Fetch-Site` is asked first.
 * @see https://fetch.spec.whatwg.org/#append-a-request-origin-header
 */
export function isFromOurPage(headers: IncomingHttpHeaders, publicOrigin: string): boolean {
  const { origin } = headers;
  const site = headers['sec-fetch-site'];
  if (origin !== undefined && origin !== 'null') {
    return origin === publicOrigin && (site === undefined || site === 'same-origin');
  }
  return site === 'same-origin';
}

/** Whether a WebSocket may open: browsers always send `Origin` there, so nothing else will do. */
export function isWebSocketFromOurPage(headers: IncomingHttpHeaders, publicOrigin: string): boolean {
  return headers.origin === publicOrigin;
}

/** First four groups of an IPv6 address: who has one address usually has the whole /64. */
function networkOfIpv6(address: string): string {
  const [head = '', tail = ''] = address.split('::');
  const first = head.split(':').filter(Boolean);
  const last = tail.split(':').filter(Boolean);
  const zeros = Array<string>(Math.max(0, 8 - first.length - last.length)).fill('0');
  return `${[...first, ...zeros, ...last].slice(0, 4).join(':')}::/64`;
}

/**
 * Key under which failed logins of a client are counted. The ingress appends the address it saw to
 * `X-Forwarded-For`, so the last entry is the one that a client cannot choose; nothing else depends on it.
 */
export function clientKey(headers: IncomingHttpHeaders, socketAddress: string): string {
  const header = headers['x-forwarded-for'];
  const forwarded = (Array.isArray(header) ? header.join(',') : (header ?? '')).split(',').at(-1)?.trim();
  const address = (forwarded || socketAddress).replace(/^::ffff:(?=\d+\.)/i, '').slice(0, 64);
  return isIPv6(address) ? networkOfIpv6(address) : address;
}

/**
 * The language of an answer to this request: the one that was chosen in the browser, else what it wishes most of those
 * there are. Whatever the headers hold, there is one.
 */
export function languageOf(headers: IncomingHttpHeaders): Language {
  const cookies = (headers.cookie ?? '').split(';').map((cookie) => cookie.trim().split('='));
  const chosen = cookies.find(([name]) => name === LANGUAGE_COOKIE)?.[1];
  const wishes = (headers['accept-language'] ?? '').split(',').map((wish) => {
    const [tag = '', ...parameters] = wish.split(';').map((part) => part.trim());
    const weight = parameters.find((parameter) => /^q=/i.test(parameter))?.slice(2) ?? '1';
    return { tag, weight: Number(weight) };
  });
  const wished = wishes.filter(({ weight }) => weight > 0).sort((one, other) => other.weight - one.weight);
  return preferredLanguage(
    chosen ?? null,
    wished.map(({ tag }) => tag),
  );
}
