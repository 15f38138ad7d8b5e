import * as z from 'zod';
import { jobFields } from './job-fields.ts';
import { podFields } from './pod-fields.ts';
import { signInFields } from './sign-in-fields.ts';
import { siteFields } from './site-fields.ts';
import { userFields } from './user-fields.ts';

/**
 * Every key of a stack: its form, default, description. The reference in docs/, the JSON schema and the error messages
 * come from here.
 */

/** Keys that hold secrets. Their content is never looked at: it stays an Output. */
export const SECRET_KEYS = {
  sourceToken: {
    description: 'Onedata token that may read the source space.',
    required: 'unless onedataSecret or sourceSecret is set, or sourceMount names a claim',
  },
  projectToken: {
    description:
      'Onedata token that may read and write the project space; another one than the source token.',
    required: 'unless onedataSecret or projectSecret is set, or projectMount names a claim',
  },
  desktopPassword: {
    description:
      'Password of the desktop: 12 to 256 characters, on one line, at least five of them visible and different.',
    required: 'no; 24 characters are generated',
  },
  signInClientSecret: {
    description: 'Secret of the client at `signInIssuer`.',
    required: 'no; without it the client is a public one, which proves itself by PKCE alone',
  },
} as const;
export type SecretKey = keyof typeof SECRET_KEYS;
export const isSecretKey = (key: string): key is SecretKey => Object.hasOwn(SECRET_KEYS, key);

export const SETTING_FIELDS = {
  ...userFields,
  ...siteFields,
  ...signInFields,
  ...podFields,
  ...jobFields,
} as const;
export const settingsSchema = z.strictObject(SETTING_FIELDS);

/** Everything of a stack that is not secret, parsed: CPUs in thousandths, durations in seconds, sizes as written. */
export type Settings = z.output<typeof settingsSchema>;
