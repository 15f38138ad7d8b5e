import * as z from 'zod';

/** What happens to a request that a rule matches. */
const actionSchema = z.discriminatedUnion('kind', [
  /** Answered instead of doing the work; `id`, `details` as in the error table, e.g. `posix` {errno: 'eagain'}. */
  z.strictObject({
    kind: z.literal('error'),
    status: z.int(),
    id: z.string(),
    details: z.record(z.string(), z.unknown()).optional(),
    /** Sent as `Retry-After`. */
    retryAfterSeconds: z.int().min(0).optional(),
  }),
  /** Answered by the HTTP layer, or a gateway before it, with no body at all, e.g. 416, 429 or 502. */
  z.strictObject({
    kind: z.literal('status'),
    status: z.int(),
    retryAfterSeconds: z.int().min(0).optional(),
  }),
  z.strictObject({ kind: z.literal('latency'), milliseconds: z.int().min(0) }),
  /** Listings leave out entries whose name or path matches. */
  z.strictObject({ kind: z.literal('drop-entries'), names: z.string() }),
  z.strictObject({ kind: z.literal('zero-times') }),
  /** The body ends early although the header promised more. */
  z.strictObject({ kind: z.literal('truncate-body'), afterBytes: z.int().min(0) }),
  /** The body stops, the connection stays open. */
  z.strictObject({ kind: z.literal('stall-body'), afterBytes: z.int().min(0) }),
  /** An upload is refused with this errno when so many bytes of it have come; what came stays. */
  z.strictObject({
    kind: z.literal('refuse-body'),
    afterBytes: z.int().min(0),
    errno: z.enum(['enospc', 'eagain', 'etimedout', 'ecanceled']).default('enospc'),
  }),
  /** The connection is cut when so many bytes of an upload have come; what came stays. */
  z.strictObject({ kind: z.literal('cut-upload'), afterBytes: z.int().min(0) }),
  /** The work is done, the answer never arrives. */
  z.strictObject({ kind: z.literal('lose-answer') }),
  /** The work is done, the end of the answer comes so much later. */
  z.strictObject({ kind: z.literal('late-answer'), milliseconds: z.int().min(0) }),
  /** Instead of the work: 200 with a page of HTML, as of a gateway that wants a log-in. */
  z.strictObject({ kind: z.literal('wrong-answer') }),
  /** Instead of the work: these very bytes (latin1), from `HTTP/1.1` on, then the end of the connection. */
  z.strictObject({ kind: z.literal('raw-answer'), bytes: z.string() }),
  /** The connection is cut before anything is done. */
  z.strictObject({ kind: z.literal('cut') }),
]);
export type FaultAction = z.infer<typeof actionSchema>;

export const faultRuleSchema = z.strictObject({
  /** HTTP method; absent: any. */
  method: z.string().optional(),
  /** Regular expression on the decoded path with query. */
  path: z.string().default('.'),
  /** Bytes of the body, by its header: tells one upload from all others. */
  bodyBytes: z.int().min(0).optional(),
  /** Id of a space: requests about it and its files, by id or by name. */
  space: z.string().optional(),
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
  /** How long a provider answers a token that it refused in the same way, without asking its zone again. */
  refusalMemoryMilliseconds: z.int().min(0).optional(),
  /** What infer scope says of the first provider; it goes on answering. */
  online: z.boolean().optional(),
  /** Ids of providers that are gone: infer scope says so, and connections to them break. */
  offline: z.array(z.string()).optional(),
});
export type Settings = z.infer<typeof settingsSchema>;

interface ActiveRule {
  readonly id: number;
  readonly rule: z.output<typeof faultRuleSchema>;
  readonly path: RegExp;
  readonly space: RegExp | undefined;
  skipLeft: number;
  timesLeft: number;
}

/** One request that a rule hit. */
export interface Struck {
  readonly rule: number;
  readonly method: string;
  readonly path: string;
  readonly kind: FaultAction['kind'];
}

const LOG_LENGTH = 1000;

/** By its id in the path, behind its name, or within a file id. */
function aboutSpace(spaceId: string): RegExp {
  const inFileId = Buffer.from(`#${spaceId}`).toString('hex');
  return new RegExp(`(/(data|spaces)/${spaceId}|(@|%40)${spaceId}|${inFileId})(?![A-Za-z0-9_-])`);
}

/** A share of all requests fails, in each of the ways that real ones do; nothing of it is final. */
export function randomFaults(probability: number): FaultRule[] {
  const posix = (errno: string) => ({ kind: 'error', status: 400, id: 'posix', details: { errno } }) as const;
  const unreachableZone = { authError: { id: 'noConnectionToOnezone', description: 'no connection' } };
  const actions: FaultRule['action'][] = [
    { kind: 'cut' },
    { kind: 'lose-answer' },
    { kind: 'error', status: 503, id: 'serviceUnavailable' },
    { kind: 'error', status: 500, id: 'internalServerError', details: { reference: 'random' } },
    { kind: 'error', status: 401, id: 'unauthorized', details: unreachableZone },
    { kind: 'status', status: 502 },
    posix('eagain'),
    posix('ebusy'),
    { kind: 'truncate-body', afterBytes: 1000 },
  ];
  return actions.map((action) => ({
    action,
    path: '/(data|cdmi|lookup-file-id|spaces)',
    probability: probability / actions.length,
  }));
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

/** The fault knobs of one emulator. The same seed, rules and order of requests give the same faults. */
export class Faults {
  latencyMilliseconds = 0;
  bytesPerSecond = 0;
  refusalMemoryMilliseconds = 10_000;
  online = true;
  /** Entries that were left out of listings, and requests, since rules were last cleared. */
  dropped = 0;
  requests = 0;
  #offline: readonly string[] = [];
  #rules: ActiveRule[] = [];
  #log: Struck[] = [];
  #hits = new Map<number, number>();
  #nextId = 1;
  #random = generator(1);
  #bandwidthFreeAt = 0;

  apply(settings: Settings): void {
    if (settings.latencyMilliseconds !== undefined) this.latencyMilliseconds = settings.latencyMilliseconds;
    if (settings.bytesPerSecond !== undefined) {
      this.bytesPerSecond = settings.bytesPerSecond;
      this.#bandwidthFreeAt = 0;
    }
    this.refusalMemoryMilliseconds = settings.refusalMemoryMilliseconds ?? this.refusalMemoryMilliseconds;
    if (settings.seed !== undefined) this.#random = generator(settings.seed);
    if (settings.online !== undefined) this.online = settings.online;
    if (settings.offline !== undefined) this.#offline = settings.offline;
  }

  get settings(): Settings {
    return {
      latencyMilliseconds: this.latencyMilliseconds,
      bytesPerSecond: this.bytesPerSecond,
      refusalMemoryMilliseconds: this.refusalMemoryMilliseconds,
      online: this.online,
      offline: [...this.#offline],
    };
  }

  isOnline(providerId: string, isFirst: boolean): boolean {
    return !this.#offline.includes(providerId) && (this.online || !isFirst);
  }

  isGone(providerId: string): boolean {
    return this.#offline.includes(providerId);
  }

  add(rule: FaultRule): number {
    const parsed = faultRuleSchema.parse(rule);
    const id = this.#nextId++;
    this.#rules.push({
      id,
      rule: parsed,
      path: new RegExp(parsed.path),
      space: parsed.space === undefined ? undefined : aboutSpace(parsed.space),
      skipLeft: parsed.skip,
      timesLeft: parsed.times ?? Number.POSITIVE_INFINITY,
    });
    return id;
  }

  /** Ends a rule; its hits stay counted. */
  remove(rule: number): void {
    this.#rules = this.#rules.filter(({ id }) => id !== rule);
  }

  list(): { id: number; timesLeft: number | null; rule: FaultRule }[] {
    return this.#rules.map(({ id, timesLeft, rule }) => ({
      id,
      timesLeft: Number.isFinite(timesLeft) ? timesLeft : null,
      rule,
    }));
  }

  /** The last faults that struck, oldest first: what a failing run met. */
  get log(): readonly Struck[] {
    return this.#log;
  }

  #note(struck: Struck): void {
    this.#log.push(struck);
    if (this.#log.length > LOG_LENGTH) this.#log.shift();
  }

  /** How many requests a rule hit, also after it is used up. */
  hits(rule: number): number {
    return this.#hits.get(rule) ?? 0;
  }

  clear(): void {
    this.#rules = [];
    this.#log = [];
    this.#hits = new Map();
    this.dropped = 0;
    this.requests = 0;
  }

  /** What befalls this request; counts the rules down. */
  take(method: string, path: string, bodyBytes?: number): FaultAction[] {
    const hit: FaultAction[] = [];
    this.requests += 1;
    for (const active of this.#rules) {
      if (active.rule.method && active.rule.method !== method) continue;
      if (!active.path.test(path) || active.space?.test(path) === false) continue;
      if (active.rule.bodyBytes !== undefined && active.rule.bodyBytes !== bodyBytes) continue;
      if (active.skipLeft > 0) {
        active.skipLeft -= 1;
        continue;
      }
      if (active.rule.probability < 1 && this.#random() >= active.rule.probability) continue;
      active.timesLeft -= 1;
      this.#hits.set(active.id, this.hits(active.id) + 1);
      hit.push(active.rule.action);
      this.#note({ rule: active.id, method, path, kind: active.rule.action.kind });
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
