import type { LiveState } from '../../automation/fleet/index.ts';
import type { ApiParts } from './api-parts.ts';
import { viewOf } from './view.ts';
import type { InstanceList, InstanceView } from './view-types.ts';
import type { Visitor } from './visitors.ts';

/** What an instance itself says: asked for where it is old, only what is known, or nothing. */
type Look = 'ask' | 'known' | 'none';

/** The instances that a visitor may know of. Of all others there is nothing to be found, not even that they are. */
export class Instances {
  readonly #parts: ApiParts;

  constructor(parts: ApiParts) {
    this.#parts = parts;
  }

  list(visitor: Visitor, isAll: boolean, look: Look = isAll ? 'none' : 'ask'): InstanceList {
    const { board, operations, usage } = this.#parts;
    const known = new Map(board.all().map((summary) => [summary.name, summary]));
    for (const { operation } of operations.running())
      if (!known.has(operation.stack)) known.set(operation.stack, { name: operation.stack });
    const views = [...known.keys()].flatMap((name) => this.view(visitor, name, look) ?? []);
    const { at, problem } = board;
    const { id, isOperator } = visitor.user;
    const cpuTime = isAll ? undefined : usage.ofUser(id);
    return {
      instances: views.filter(({ isOwn }) => isAll || isOwn),
      seenAt: at === undefined ? null : new Date(at).toISOString(),
      isOld: problem !== undefined,
      allowances: isAll || isOperator ? {} : this.#parts.limits.allowances(id),
      ...(cpuTime === undefined ? {} : { cpuTime: { ...cpuTime, since: usage.since } }),
    };
  }

  /** @returns undefined: there is none that this visitor may know of */
  view({ user }: Visitor, name: string, look: Look = 'ask'): InstanceView | undefined {
    const { board, operations, fleet, rules, usage, config } = this.#parts;
    const begun = operations.of(name);
    // Until its settings are read an instance belongs to whoever makes it here.
    const isBeingMade = begun?.operation.kind === 'create';
    const listed = board.find(name);
    if (listed === undefined && begun === undefined) return undefined;
    const summary = { name, ...(isBeingMade ? { owner: begun.user.id } : {}), ...listed };
    const isOwn = summary.owner === user.id;
    if (!isOwn && !user.isOperator) return undefined;
    // Gone, as far as this console knows: removed here, or never made.
    if (listed === undefined && begun?.isOver && fleet.operation(name) === undefined) return undefined;
    const operation = begun === undefined ? summary.operation : fleet.operation(name);
    const isRunning = summary.live?.phase === 'running' || summary.live?.phase === 'starting';
    const detail = isRunning ? this.#detail(name, look) : undefined;
    const isHere = begun !== undefined && !begun.isOver;
    const mayExtend = user.isOperator && config.expiry !== undefined;
    return viewOf({
      summary,
      detail,
      operation,
      isHere,
      isOwn,
      mayExtend,
      rule: rules.of(name),
      cpuTime: usage.of(name),
    });
  }

  #detail(name: string, look: Look): LiveState | undefined {
    if (look === 'none') return undefined;
    return look === 'ask' ? this.#parts.board.detail(name) : this.#parts.board.known(name);
  }
}
