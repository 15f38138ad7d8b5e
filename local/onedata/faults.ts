import { z } from 'zod';

/** What happens to a request that a rule matches. */
const actionSchema = z.discriminatedUnion('kind', [
  /** Answered instead of doing the work; `id`, `details` as in the error table, e.g. `posix` {errno: 'eagain'}. */
  z.strictObject({
    kind: z.literal('error'),
    status: z.int(),
    id: z.string(),
    details: z.record(z.string(), z.unknown()).optional(),
  }),
  z.strictObject({ kind: z.literal('latency'), milliseconds: z.int().min(0) }),
  /** Listings leave out entries whose name or path matches. */
  z.strictObject({ kind: z.literal('drop-entries'), names: z.string() }),
  z.strictObject({ kind: z.literal('zero-times') }),
  /** The body ends early although the header promised more. */
  z.strictObject({ kind: z.literal('truncate-body'), afterBytes: z.int().min(0) }),
  /** The body stops, the connection stays open. */
  z.strictObject({ kind: z.literal('stall-body'), afterBytes: z.int().min(0) }),
  /** The work is done, the answer never arrives. */
  z.strictObject({ kind: z.literal('lose-answer') }),
  /** The connection is cut before anything is done. */
  z.strictObject({ kind: z.literal('cut') }),
]);
export type FaultAction = z.infer<typeof actionSchema>;

export const faultRuleSchema = z.strictObject({
  /** HTTP method; absent: any. */
  method: z.string().optional(),
  /** Regular expression on the decoded path with query. */
  path: z.string().default('.'),
  /** Matching requests that pass before the first one is hit. */
  skip: z.int().min(0).default(0),
  /** How many are hit; absent: all until the rule is removed. */
  times: z.int().min(1).optional(),
  /** Share of the matching requests that are hit, drawn from the seeded generator. */
  probability: z.number().min(0).max(1).default(1),
  action: actionSchema,
});
export type FaultRule = z.input<typeof faultRuleSchema>;

export const settingsSchema = z.strictObject({
  latencyMilliseconds: z.int().min(0).optional(),
  /** Of all bodies together, both directions; 0: unlimited. */
  bytesPerSecond: z.int().min(0).optional(),
  /** Starts the generator anew, so that a run with the same requests meets the same faults. */
  seed: z.int().optional(),
  /** What infer scope says of the provider. */
  online: z.boolean().optional(),
});
export type Settings = z.infer<typeof settingsSchema>;

interface ActiveRule {
  readonly id: number;
  readonly rule: z.output<typeof faultRuleSchema>;
  readonly path: RegExp;
  skipLeft: number;
  timesLeft: number;
}

/** Mulberry32: small, seeded, good enough to choose which requests fail. */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let value = Math.imul(state ^ (state >>> 15), 1 | state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** The fault knobs of one stand-in. The same seed, rules and order of requests give the same faults. */
export class Faults {
  latencyMilliseconds = 0;
  bytesPerSecond = 0;
  online = true;
  #rules: ActiveRule[] = [];
  #nextId = 1;
  #random = generator(1);
  #bandwidthFreeAt = 0;

  apply(settings: Settings): void {
    if (settings.latencyMilliseconds !== undefined) this.latencyMilliseconds = settings.latencyMilliseconds;
    if (settings.bytesPerSecond !== undefined) {
      this.bytesPerSecond = settings.bytesPerSecond;
      this.#bandwidthFreeAt = 0;
    }
    if (settings.seed !== undefined) this.#random = generator(settings.seed);
    if (settings.online !== undefined) this.online = settings.online;
  }

  get settings(): Settings {
    return {
      latencyMilliseconds: this.latencyMilliseconds,
      bytesPerSecond: this.bytesPerSecond,
      online: this.online,
    };
  }

  add(rule: FaultRule): number {
    const parsed = faultRuleSchema.parse(rule);
    const id = this.#nextId++;
    this.#rules.push({
      id,
      rule: parsed,
      path: new RegExp(parsed.path),
      skipLeft: parsed.skip,
      timesLeft: parsed.times ?? Number.POSITIVE_INFINITY,
    });
    return id;
  }

  list(): { id: number; timesLeft: number | null; rule: FaultRule }[] {
    return this.#rules.map(({ id, timesLeft, rule }) => ({
      id,
      timesLeft: Number.isFinite(timesLeft) ? timesLeft : null,
      rule,
    }));
  }

  clear(): void {
    this.#rules = [];
  }

  /** What befalls this request; counts the rules down. */
  take(method: string, path: string): FaultAction[] {
    const hit: FaultAction[] = [];
    for (const active of this.#rules) {
      if (active.rule.method && active.rule.method !== method) continue;
      if (!active.path.test(path)) continue;
      if (active.skipLeft > 0) {
        active.skipLeft -= 1;
        continue;
      }
      if (active.rule.probability < 1 && this.#random() >= active.rule.probability) continue;
      active.timesLeft -= 1;
      hit.push(active.rule.action);
    }
    this.#rules = this.#rules.filter(({ timesLeft }) => timesLeft > 0);
    return hit;
  }

  /** Milliseconds to wait before these bytes may pass. One budget for all connections together. */
  reserve(bytes: number): number {
    if (this.bytesPerSecond <= 0) return 0;
    const now = Date.now();
    const start = Math.max(now, this.#bandwidthFreeAt);
    this.#bandwidthFreeAt = start + (bytes * 1000) / this.bytesPerSecond;
    return start - now;
  }
}
