import type { JobView } from '../../contract/job-view.ts';
import type { LogEnd } from '../../src/gateway/view.ts';
import { setText, textElement } from '../shared/dom.ts';
import { ask, post } from './actions.ts';
import { t } from './language.ts';
import { jobAskedText, jobStateText } from './texts.ts';

/** One job of the list. All that others wrote (name, reasons, log) gets here as text. */
export class JobRow {
  readonly element = textElement('li', 'job', '');
  readonly #name = textElement('strong', '', '');
  readonly #asked = textElement('span', 'hint', '');
  readonly #state = textElement('p', '', '');
  readonly #note = textElement('p', 'hint', '');
  readonly #log = textElement('div', 'job-log', '');
  readonly #logButton = button();
  readonly #cancel = button();
  readonly #sure = textElement('div', 'actions', '');
  readonly #question = textElement('p', '', '');
  readonly #yes = button();
  readonly #no = button();
  readonly #onChange: () => void;
  #job: JobView;

  /** @param onChange something was done with the job */
  constructor(job: JobView, onChange: () => void) {
    this.#job = job;
    this.#onChange = onChange;
    const title = textElement('p', '', '');
    title.append(this.#name, ' ', this.#asked);
    const actions = textElement('div', 'actions', '');
    actions.append(this.#logButton, this.#cancel);
    this.#sure.append(this.#question, this.#yes, this.#no);
    this.#sure.setAttribute('role', 'group');
    this.#sure.hidden = true;
    this.#note.setAttribute('role', 'status');
    this.element.append(title, this.#state, actions, this.#sure, this.#note, this.#log);
    this.#log.hidden = true;
    this.#logButton.addEventListener('click', () => void this.#toggleLog());
    this.#cancel.addEventListener('click', () => this.#ask(true));
    this.#no.addEventListener('click', () => this.#ask(false));
    this.#yes.addEventListener('click', () => void this.#cancelIt());
  }

  render(job: JobView, now: number): void {
    this.#job = job;
    const isOver = job.state === 'ended';
    this.element.dataset.state = job.state;
    this.element.dataset.result = isOver && job.exitCode !== 0 ? 'bad' : '';
    setText(this.#name, job.name);
    setText(this.#asked, jobAskedText(job));
    setText(this.#state, jobStateText(job, now));
    setText(this.#cancel, t().jobCancel);
    this.#cancel.setAttribute('aria-label', t().jobCancelOf(job.name));
    setText(this.#logButton, t().jobLog);
    this.#logButton.setAttribute('aria-label', t().jobLogOf(job.name));
    this.#logButton.setAttribute('aria-expanded', String(!this.#log.hidden));
    this.#logButton.hidden = job.output === null && job.errors === null;
    setText(this.#question, t().jobCancelSure(job.name));
    this.#sure.setAttribute('aria-label', t().jobCancelOf(job.name));
    setText(this.#yes, t().jobCancelYes);
    setText(this.#no, t().jobCancelNo);
    const canCancel = !isOver && !job.isCancelled;
    if (!canCancel && !this.#sure.hidden) this.#ask(false);
    this.#cancel.hidden = !canCancel || !this.#sure.hidden;
  }

  #ask(isAsked: boolean): void {
    const hadFocus = this.#sure.contains(document.activeElement);
    this.#sure.hidden = !isAsked;
    this.#cancel.hidden = isAsked;
    // The harmless one: a key that is pressed once too often cancels nothing.
    if (isAsked) this.#no.focus();
    else if (hadFocus) this.#cancel.focus();
  }

  async #cancelIt(): Promise<void> {
    const { error } = await post('/jobs/cancel', { id: this.#job.id });
    this.#ask(false);
    setText(this.#note, error ?? t().jobCancelling);
    this.#onChange();
  }

  async #toggleLog(): Promise<void> {
    this.#log.hidden = !this.#log.hidden;
    this.#logButton.setAttribute('aria-expanded', String(!this.#log.hidden));
    if (this.#log.hidden) return;
    const { content, error } = await ask<{ logs: readonly LogEnd[] }>(`/jobs/log?id=${this.#job.id}`);
    setText(this.#note, error ?? '');
    this.#log.replaceChildren(...(content?.logs ?? []).flatMap(logParts));
  }
}

function logParts({ path, text, isCut }: LogEnd): HTMLElement[] {
  const title = textElement('p', 'hint', isCut ? t().jobLogEnd(path) : path);
  if (text === null || text.trim() === '') return [title, textElement('p', '', t().jobLogNone)];
  const lines = textElement('pre', '', text);
  // It scrolls, and so must be reached by the keyboard.
  lines.tabIndex = 0;
  lines.setAttribute('role', 'region');
  lines.setAttribute('aria-label', path);
  return [title, lines];
}

function button(): HTMLButtonElement {
  const made = textElement('button', '', '') as HTMLButtonElement;
  made.type = 'button';
  return made;
}
