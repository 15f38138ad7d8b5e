/**
 * Why nobody comes in. `unreachable`, `slow`: nothing was heard. `unusable`: what was heard is no answer of an OpenID provider.
 * `unknown-client`: it does not take our id or secret. `foreign`: the answer is not of this sign-in, or was used or changed.
 * `clock`: the clocks differ. `denied`: it says so itself. `not-allowed`: signed in, and may not open this desktop.
 */
export type SignInReason =
  | 'unreachable'
  | 'slow'
  | 'unusable'
  | 'unknown-client'
  | 'foreign'
  | 'clock'
  | 'denied'
  | 'not-allowed'
  | 'email-unverified';
