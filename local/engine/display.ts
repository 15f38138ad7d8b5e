import { styleText } from 'node:util';
import type { EngineEvent, StepCounts, StepEvent, StepKind } from './events.ts';
import type { StackResult } from './stack.ts';
import { mask, type Properties, reveal, Secret } from './values.ts';

const SYMBOLS: Readonly<Record<StepKind, string>> = {
  same: ' ',
  create: '+',
  update: '~',
  replace: '+-',
  delete: '-',
};
const COLOURS = {
  same: 'dim',
  create: 'green',
  update: 'yellow',
  replace: 'magenta',
  delete: 'red',
} as const;
const DOING = {
  same: '',
  create: 'creating',
  update: 'updating',
  replace: 'replacing',
  delete: 'deleting',
} as const;
const DONE = {
  same: '',
  create: 'created',
  update: 'updated',
  replace: 'replaced',
  delete: 'deleted',
} as const;

/** `kubernetes:core/v1:Secret` → `core/v1:Secret`; `random:index/randomId:RandomId` → `random:RandomId`. */
export function shortType(type: string): string {
  const [name, module, kind] = type.split(':');
  if (name === 'kubernetes') return `${module}:${kind}`;
  return `${name}:${kind}`;
}

/** One line for one resource: symbol, name, type, what changes. */
export function planLine(step: StepEvent): string {
  const changed = step.changed.length === 0 ? '' : `  [${step.changed.join(', ')}]`;
  return `${SYMBOLS[step.step].padStart(2)} ${step.name} (${shortType(step.type)})${changed}`;
}

/** `3 to create, 1 to update, 12 unchanged`; only what occurs. */
export function countLine(counts: StepCounts, isPlan: boolean): string {
  const words = isPlan
    ? {
        create: 'to create',
        update: 'to update',
        replace: 'to replace',
        delete: 'to delete',
        same: 'unchanged',
      }
    : { ...DONE, same: 'unchanged' };
  const parts = (['create', 'update', 'replace', 'delete', 'same'] as const)
    .filter((step) => counts[step] > 0)
    .map((step) => `${counts[step]} ${words[step]}`);
  return parts.length === 0 ? 'nothing to do' : parts.join(', ');
}

/** Stack outputs as `key: value` lines; secrets as `<secret>` unless `showSecrets`. */
export function outputLines(outputs: Properties, showSecrets: boolean): string[] {
  return Object.entries(outputs).map(([key, value]) => {
    const shown = showSecrets ? reveal(value) : mask(value);
    return `${key}: ${typeof shown === 'string' ? shown : JSON.stringify(shown)}`;
  });
}

/** The same for machines: one object. */
export function outputObject(outputs: Properties, showSecrets: boolean): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(outputs).map(([key, value]) => [
      key,
      showSecrets ? reveal(value) : value instanceof Secret ? '<secret>' : mask(value),
    ]),
  );
}

export interface Terminal {
  readonly isInteractive: boolean;
  readonly columns: number;
  write(text: string): void;
}

/**
 * Shows a run as it goes. On a terminal the resources under way are one line at the bottom that is rewritten; in a
 * pipe there is one line for each resource that changed, nothing else.
 */
export class Progress {
  readonly #terminal: Terminal;
  readonly #active = new Map<string, StepEvent>();
  #hasStatus = false;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  readonly onEvent = (event: EngineEvent): void => {
    if (event.kind === 'print') this.#line(event.line);
    else if (event.kind === 'step') this.#step(event);
    else if (event.log.severity === 'warning') this.#line(`warning: ${event.log.message}`);
    else if (event.log.severity === 'info') {
      if (!event.log.ephemeral) this.#line(event.log.message);
    }
  };

  #step(event: StepEvent): void {
    const key = `${event.urn} ${event.step}`;
    if (event.phase === 'started' || event.phase === 'waiting') this.#active.set(key, event);
    else this.#active.delete(key);
    if (event.phase === 'planned' && event.step !== 'same') this.#line(this.#paint(event, planLine(event)));
    else if (event.phase === 'done' && event.step !== 'same') {
      const time = event.seconds === undefined ? '' : ` in ${event.seconds.toFixed(1)} s`;
      const isQuiet = event.type.startsWith('pulumi:') || event.seconds === undefined;
      if (!isQuiet) this.#line(this.#paint(event, `${planLine(event)} ${DONE[event.step]}${time}`));
    } else if (event.phase === 'failed') {
      this.#line(
        this.#paint({ ...event, step: 'delete' }, ` ! ${event.name} (${shortType(event.type)}) failed`),
      );
    }
    this.#status();
  }

  #paint(event: StepEvent, line: string): string {
    return this.#terminal.isInteractive
      ? styleText(COLOURS[event.step], line, { validateStream: false })
      : line;
  }

  #line(line: string): void {
    this.#clear();
    this.#terminal.write(`${line}\n`);
    this.#status();
  }

  #clear(): void {
    if (this.#hasStatus) this.#terminal.write('\r\u001b[K');
    this.#hasStatus = false;
  }

  #status(): void {
    if (!this.#terminal.isInteractive) return;
    this.#clear();
    const last = [...this.#active.values()].at(-1);
    if (!last) return;
    const others = this.#active.size > 1 ? ` (and ${this.#active.size - 1} more)` : '';
    const text = `… ${DOING[last.step]} ${last.name}${last.message ? `: ${last.message}` : ''}${others}`;
    this.#terminal.write(text.slice(0, Math.max(this.#terminal.columns - 1, 20)));
    this.#hasStatus = true;
  }

  /** Takes the status line away. */
  end(): void {
    this.#active.clear();
    this.#clear();
  }
}

/** A run for machines: steps, counts, outputs, errors. Secrets are masked unless `showSecrets`. */
export function resultObject(result: StackResult, showSecrets: boolean): Record<string, unknown> {
  return {
    ok: result.ok,
    counts: result.counts,
    steps: result.steps.map(({ urn, type, name, step, changed }) => ({ urn, type, name, step, changed })),
    outputs: outputObject(result.outputs, showSecrets),
    errors: result.errors,
  };
}
