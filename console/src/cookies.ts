/** Names that a browser lets no other host and no plain connection write; for `localhost` HTTP is as good as HTTPS. */
export const COOKIES = { session: '__Host-scipion-console', signIn: '__Host-scipion-sign-in' } as const;

/** An answer of the provider is a page of another site that leads here, so `strict` cookies would not come along. */
export const COOKIE = { path: '/', httpOnly: true, secure: true, sameSite: 'lax' } as const;
