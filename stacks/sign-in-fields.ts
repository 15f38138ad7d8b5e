import * as z from 'zod';
import { field, json, text, yesOrNo } from './fields.ts';
import { CIDR_SHAPE, isCertificateBundle, isIssuer } from './grammar.ts';
import { isOpenable } from './networks.ts';

/** Who comes in at the gateway, and by which way. */

const MOST = 500;
/** Names of claims are short words, or addresses where a server keeps its own apart. */
const claim = text((name) => /^[\w.:/-]+$/.test(name), '^\\s*[\\w.:/-]+\\s*$', 200);
/** @see https://www.rfc-editor.org/rfc/rfc6749#section-3.3 */
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]{1,100}$/;
/** Visible, on one line; what they mean the server knows. */
const names = z
  .array(
    z
      .string()
      .min(1)
      .max(300)
      .regex(/^[^\p{Cc}\p{Zl}\p{Zp}]+$/u)
      // No claim is compared without its blanks.
      .refine((name) => name.trim() === name),
  )
  .max(MOST);

export const signInFields = {
  signInUsers: field(json(names).default([]), {
    description:
      'Users of `signInIssuer` that may open the desktop, as `signInUserClaim` calls them; beside the members of `signInGroups`.',
    allowed: 'a list of texts',
    example: '["248289761001"]',
    group: 'user',
  }),
  signInGroups: field(json(names).default([]), {
    description:
      'Groups of `signInIssuer` whose members may open the desktop, as `signInGroupClaim` calls them.',
    allowed: 'a list of texts',
    example: '["cryo-em"]',
    group: 'user',
  }),
  signInIssuer: field(text(isIssuer, '^\\s*https://').optional(), {
    description:
      'OpenID provider at which users sign in. At it each instance is registered with the address `https://scipion.<namespace>.<domain>/login/openid/callback`.',
    allowed: 'an address that begins with https://, without user, query and fragment',
    example: 'https://login.example.org',
    group: 'site',
    defaultNote: 'none: only the password',
  }),
  signInClientId: field(text((id) => /^[!-~]+$/.test(id), '^\\s*[!-~]+\\s*$', 255).optional(), {
    description: 'By which the provider knows the instance.',
    allowed: 'up to 255 visible ASCII characters',
    example: 'scipion',
    group: 'site',
  }),
  signInScopes: field(
    json(
      z
        .array(z.string().regex(SCOPE))
        .max(50)
        .refine((all) => all.includes('openid')),
    ).default(['openid', 'profile', 'email']),
    {
      description: 'What is asked for; some providers tell groups only with a scope for them.',
      allowed: 'a list of scopes, among them openid',
      example: '["openid","groups"]',
      group: 'site',
    },
  ),
  signInUserClaim: field(claim.default('sub'), {
    description:
      'Claim with the name of a user. `sub` never changes; `email` counts only where the provider says that it is verified.',
    allowed: 'the name of a claim; with "." between for one inside another',
    example: 'preferred_username',
    group: 'site',
  }),
  signInGroupClaim: field(claim.default('groups'), {
    description: 'Claim with the groups of a user.',
    allowed: 'the name of a claim; with "." between for one inside another',
    example: 'realm_access.roles',
    group: 'site',
  }),
  signInNetworks: field(
    json(z.array(z.string().regex(CIDR_SHAPE).refine(isOpenable)).max(MOST)).default([]),
    {
      description:
        'Networks in which the provider is, for the port of `signInIssuer`. None: the internet without its private ranges.',
      allowed:
        'a list of networks in CIDR notation, none of them wholly closed (metadata addresses of clouds)',
      example: '["192.0.2.0/24"]',
      group: 'site',
      defaultNote: 'the internet',
    },
  ),
  signInCertificateAuthorities: field(
    text(isCertificateBundle, '-----BEGIN CERTIFICATE-----', 262_144).optional(),
    {
      description: 'Certificate authorities of the provider that are not publicly known.',
      allowed: 'PEM text of certificates, at least one, and nothing else',
      example: '"$(cat authorities.pem)"',
      group: 'site',
    },
  ),
  passwordLogin: field(yesOrNo().default(true), {
    description:
      'Whether the password opens the desktop, too. Only with `signInIssuer` it can be switched off.',
    allowed: 'true or false',
    example: 'false',
    group: 'site',
  }),
};
