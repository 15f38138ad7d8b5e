import type { ShareView } from '../../src/gateway/session-view.ts';
import { element, setText, textElement } from '../shared/dom.ts';
import { post } from './actions.ts';
import { formatTime } from './format.ts';
import { t } from './language.ts';

/** Links by which others look at the desktop: one is made, shown once, and ended. */
export class SharesList {
  readonly #life = element<HTMLSelectElement>('share-life');
  readonly #link = element<HTMLInputElement>('share-link');

  constructor() {
    element('share-make').addEventListener('click', () => void this.#make());
  }

  async load(): Promise<void> {
    this.#showLink('');
    setText(element('shares-hint'), t().sharesHint);
    await this.#list();
  }

  async #make(): Promise<void> {
    const hours = this.#life.value === '' ? null : Number(this.#life.value);
    const { error, content } = await post<{ path: string }>('/shares', { hours });
    if (error === null) {
      this.#showLink(new URL(content?.path ?? '', location.href).href);
      const isCopied = await navigator.clipboard?.writeText(this.#link.value).then(
        () => true,
        () => false,
      );
      setText(element('shares-hint'), isCopied ? t().shareCopied : t().shareCopy);
      this.#link.select();
    } else setText(element('shares-hint'), error);
    await this.#list();
  }

  #showLink(link: string): void {
    this.#link.value = link;
    this.#link.hidden = link === '';
  }

  async #list(): Promise<void> {
    const answer = await fetch('/shares').catch(() => undefined);
    if (!answer?.ok) return;
    const { shares } = (await answer.json()) as { shares: readonly ShareView[] };
    element('shares').replaceChildren(...shares.map((share) => this.#row(share)));
  }

  #row({ id, createdAt, endsAt, windows }: ShareView): HTMLElement {
    const made = formatTime(new Date(createdAt).toISOString());
    const item = textElement('li', '', t().shareMade(made, windows));
    const ends = endsAt === null ? t().shareNoEnd : t().shareEnds(formatTime(new Date(endsAt).toISOString()));
    item.append(textElement('p', 'hint', ends));
    const end = textElement('button', '', t().shareEnd) as HTMLButtonElement;
    end.type = 'button';
    end.setAttribute('aria-label', t().shareEndOf(made));
    end.addEventListener('click', () => {
      void post('/shares/end', { id }).then(async ({ error }) => {
        this.#showLink('');
        await this.#list();
        setText(element('shares-hint'), error ?? t().shareEnded);
        element('share-make').focus();
      });
    });
    item.append(end);
    return item;
  }
}
