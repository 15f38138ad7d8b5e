import { randomBytes, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import * as z from 'zod';
import { replaceFileSync } from '../replace-file.ts';
import type { ShareView } from './session-view.ts';
import { MAX_CLOCK_STEP_MS } from './sessions.ts';

/** Cookie of a browser that opened a link. */
export const SHARE_COOKIE = '__Host-scipion-watch';

const SECRET_BYTES = 24;
const MAX_SHARES = 20;

const shareSchema = z.strictObject({
  id: z.uuid(),
  /** Of the secret, with a key that the desktop's password is part of. */
  digest: z.string(),
  /** Digest of nothing: tells whether the key is still the same. */
  key: z.string(),
  createdAt: z.int(),
  /** In ms since 1970; null: until somebody ends it. */
  endsAt: z.int().nullable(),
});
const fileSchema = z.strictObject({ version: z.literal(1), shares: z.array(shareSchema) });
export type Share = z.infer<typeof shareSchema>;

export interface SharesOptions {
  /** Kept over a restart of the gateway; it holds no secret. */
  readonly file: string;
  readonly digestOf: (secret: string) => string;
  readonly onProblem: (error: Error) => void;
  /** In ms since 1970. @default Date.now */
  readonly now?: () => number;
}

/**
 * Links by which others look at the desktop. A link is a secret of which only a digest is kept; it ends at its time, when
 * somebody ends it, and with the password of the desktop.
 */
export class Shares {
  readonly #options: SharesOptions;
  readonly #now: () => number;
  #shares: readonly Share[] = [];
  /** Link → windows that are open by it. */
  readonly #windows = new Map<string, number>();

  constructor(options: SharesOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    try {
      this.#shares = fileSchema.parse(JSON.parse(readFileSync(options.file, 'utf8'))).shares;
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return;
      options.onProblem(
        new Error(`${options.file} cannot be read, so every link ends: users make new ones.`, { cause }),
      );
    }
  }

  /** The secret of a new link; undefined when there are too many. */
  open(lifeMs: number | null): string | undefined {
    const shares = this.#open();
    if (shares.length >= MAX_SHARES) return undefined;
    const now = this.#now();
    const secret = randomBytes(SECRET_BYTES).toString('base64url');
    const endsAt = lifeMs === null ? null : now + lifeMs;
    const [digest, key] = [this.#options.digestOf(secret), this.#options.digestOf('')];
    this.#keep([...shares, { id: randomUUID(), digest, key, createdAt: now, endsAt }]);
    return secret;
  }

  /** The link a secret stands for; undefined when there is none, or it has ended. */
  check(secret: string | undefined): Share | undefined {
    if (!secret) return undefined;
    const digest = this.#options.digestOf(secret);
    return this.#open().find((share) => share.digest === digest);
  }

  /** Null: not before somebody ends it. */
  secondsLeft({ endsAt }: Share): number | null {
    return endsAt === null ? null : Math.max(0, Math.ceil((endsAt - this.#now()) / 1000));
  }

  /** Ends the link; none of this id is no mistake. */
  end(id: string): void {
    this.#keep(this.#shares.filter((share) => share.id !== id));
  }

  list(): ShareView[] {
    return this.#open().map(({ id, createdAt, endsAt }) => {
      return { id, createdAt, endsAt, windows: this.#windows.get(id) ?? 0 };
    });
  }

  /** Counts a window; the returned function ends that. */
  countWindow({ id }: Share): () => void {
    this.#windows.set(id, (this.#windows.get(id) ?? 0) + 1);
    return () => this.#windows.set(id, (this.#windows.get(id) ?? 1) - 1);
  }

  /** Forgets those whose time is over: a clock that is put back opens none of them again. */
  #open(): readonly Share[] {
    const [now, key] = [this.#now(), this.#options.digestOf('')];
    const lasting = this.#shares.filter(({ endsAt }) => endsAt === null || now < endsAt);
    if (lasting.length < this.#shares.length) this.#keep(lasting);
    // One of a clock that was further ahead would last too long; it is kept for the case that the clock is behind.
    const isOfNow = ({ createdAt, endsAt }: Share) => endsAt === null || createdAt - now <= MAX_CLOCK_STEP_MS;
    return lasting.filter((share) => share.key === key && isOfNow(share));
  }

  #keep(shares: readonly Share[]): void {
    this.#shares = shares;
    const { file, onProblem } = this.#options;
    const content: z.infer<typeof fileSchema> = { version: 1, shares: [...shares] };
    try {
      replaceFileSync(file, JSON.stringify(content));
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException;
      onProblem(
        new Error(
          `${file} cannot be written (${code}): after a restart of the gateway, links that were made are gone and ` +
            'links that were ended are valid again until their time.',
          { cause },
        ),
      );
    }
  }
}
