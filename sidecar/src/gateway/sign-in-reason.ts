import type { ProviderReason } from '../front/openid-provider.ts';

/** Why nobody comes in. `not-allowed`: signed in, and may not open this desktop. */
export type SignInReason = ProviderReason | 'not-allowed' | 'email-unverified';
