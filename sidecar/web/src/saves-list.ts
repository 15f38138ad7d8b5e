import type { RestoreView } from '../../src/gateway/restores.ts';
import { element, setText, textElement } from '../shared/dom.ts';
import { post } from './actions.ts';
import { formatBytes, formatTime } from './format.ts';
import { t } from './language.ts';

interface ListedSave {
  readonly id: string;
  readonly at: string;
  readonly changes: number | null;
}

const ASK_EVERY_MS = 1500;

/** The saves that can be brought back: all, a folder, or a file of them, as a copy beside what is there. */
export class SavesList {
  readonly #details = element<HTMLDetailsElement>('saves');
  readonly #path = element<HTMLInputElement>('saves-path');
  readonly #hint = element('saves-hint');
  readonly #list = element('saves-list');
  readonly #onRestored: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param onRestored a copy is in the project */
  constructor(onRestored: () => void) {
    this.#onRestored = onRestored;
    this.#details.addEventListener('toggle', () => {
      if (this.#details.open) void this.#load();
    });
  }

  /** Proposes the folder that is shown. */
  set folder(path: string) {
    this.#path.value = path;
  }

  async #load(): Promise<void> {
    const saves = await get<{ saves?: readonly ListedSave[] }>('/saves');
    if (!saves.content?.saves) {
      setText(this.#hint, saves.error);
      return;
    }
    this.#list.replaceChildren(...saves.content.saves.map((save) => this.#row(save)));
    this.#list.hidden = saves.content.saves.length === 0;
    setText(this.#hint, saves.content.saves.length === 0 ? t().savesNone : t().savesHint);
    await this.#follow(false);
  }

  #row({ id, at, changes }: ListedSave): HTMLElement {
    const item = textElement('li', '', '');
    const time = formatTime(at);
    const button = textElement('button', '', t().savesBring);
    button.setAttribute('aria-label', t().savesBringOf(time));
    button.addEventListener('click', () => void this.#restore(id));
    item.append(
      textElement('span', '', time),
      textElement('span', 'hint', t().savesChanges(changes)),
      button,
    );
    return item;
  }

  async #restore(of: string): Promise<void> {
    const path = this.#path.value.trim().replace(/^\/+|\/+$/g, '');
    const { error } = await post('/restores', { path, of });
    if (error !== null) setText(this.#hint, error);
    else await this.#follow(true);
  }

  /** Tells of the last copy, for as long as it is made. */
  async #follow(isNew: boolean): Promise<void> {
    clearTimeout(this.#timer);
    const { content } = await get<{ last: RestoreView | null }>('/restores');
    const last = content?.last;
    if (!last || (!isNew && last.state !== 'running')) return;
    setText(this.#hint, restoreText(last));
    if (last.state === 'running') this.#timer = setTimeout(() => void this.#follow(true), ASK_EVERY_MS);
    else if (last.state === 'done') this.#onRestored();
  }
}

function restoreText({ state, to, files, bytes, skipped, message, code }: RestoreView): string {
  switch (state) {
    case 'running':
      return t().restoreRuns(to);
    case 'failed':
      return t().answer(message, code);
    case 'done':
      return [
        t().restoreDone(to, files, formatBytes(bytes)),
        ...(skipped > 0 ? [t().restoreSkipped(skipped)] : []),
      ].join(' ');
  }
}

async function get<T>(path: string): Promise<{ content?: T; error: string }> {
  const answer = await fetch(path).catch(() => undefined);
  const content = await answer?.json().catch(() => undefined);
  if (answer?.ok) return { content: content as T, error: '' };
  const { message, code } = (content ?? {}) as { message?: string; code?: string };
  return { error: message === undefined ? t().unreachableFile : t().answer(message, code ?? '') };
}
