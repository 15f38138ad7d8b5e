import type { FileRow, FolderView } from '../../src/gateway/folder-view.ts';
import { element, setText, textElement } from '../shared/dom.ts';
import { droppedFiles, type Picked } from './dropped-files.ts';
import { goToLogin } from './feed.ts';
import { formatBytes, formatTime } from './format.ts';
import { t } from './language.ts';
import { Panel } from './panel.ts';
import { SavesList } from './saves-list.ts';
import { type Sending, Uploader } from './uploader.ts';

/** The folder that was looked at last, in this browser. */
const FOLDER = 'files-folder';

/** The project's files: a list to download from, and the files that are being sent into the folder that is shown. */
export class FilesPanel {
  readonly #panel: Panel;
  readonly #uploader = new Uploader(
    () => this.#renderSendings(),
    () => void this.#load(this.#folder, false),
  );
  readonly #saves = new SavesList(() => void this.#load(this.#folder, false));
  readonly #list = element('files-list');
  readonly #input = element<HTMLInputElement>('files-input');
  #folder = sessionStorage.getItem(FOLDER) ?? '';
  #view: FolderView | undefined;
  #language = t().locale;

  /** @param mayDrop the desktop is there, so that files can be dropped on it */
  constructor(focusDesktop: () => void, mayDrop: () => boolean) {
    this.#panel = new Panel('files', focusDesktop, () => void this.#load(this.#folder, false));
    element('files-reload').addEventListener('click', () => void this.#load(this.#folder, false));
    element('files-upload').addEventListener('click', () => this.#input.click());
    this.#input.addEventListener('change', () => {
      this.#send([...(this.#input.files ?? [])].map((file) => ({ file, path: file.name })));
      this.#input.value = '';
    });
    this.#takeDrops(mayDrop);
  }

  get isSending(): boolean {
    return this.#uploader.isSending;
  }

  /** Called every second: says all in another language when one was chosen. */
  render(): void {
    if (this.#language === t().locale) return;
    this.#language = t().locale;
    this.#renderFolder();
    this.#renderSendings();
  }

  #takeDrops(mayDrop: () => boolean): void {
    const hasFiles = ({ dataTransfer }: DragEvent) => mayDrop() && dataTransfer?.types.includes('Files');
    const setDropping = (isDropping: boolean) => element('files').classList.toggle('dropping', isDropping);
    window.addEventListener('dragover', (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      if (!this.#panel.isShown) this.#panel.show();
      setDropping(true);
    });
    window.addEventListener('dragleave', (event) => {
      if (event.relatedTarget === null) setDropping(false);
    });
    window.addEventListener('drop', (event) => {
      if (!hasFiles(event) || !event.dataTransfer) return;
      event.preventDefault();
      setDropping(false);
      void droppedFiles(event.dataTransfer).then((files) => this.#send(files));
    });
  }

  #send(files: readonly Picked[]): void {
    const folder = this.#folder === '' ? '' : `${this.#folder}/`;
    this.#uploader.add(files.map(({ file, path }) => ({ file, path: folder + path })));
  }

  async #load(folder: string, takesFocus = true): Promise<void> {
    if (!this.#panel.isShown) return;
    const answer = await fetch(`/files?${new URLSearchParams({ path: folder })}`).catch(() => undefined);
    if (answer?.status === 401) goToLogin();
    const content = await answer?.json().catch(() => undefined);
    if (!answer?.ok || content === undefined) {
      // A folder that has gone since: its project's list is the way on.
      if (answer?.status === 404 && folder !== '') return this.#load('', takesFocus);
      const { message, code } = (content ?? {}) as { message?: string; code?: string };
      setText(
        element('files-hint'),
        message === undefined ? t().unreachableFile : t().answer(message, code ?? ''),
      );
      return;
    }
    this.#view = content as FolderView;
    this.#folder = this.#view.path;
    sessionStorage.setItem(FOLDER, this.#folder);
    this.#saves.folder = this.#folder;
    this.#renderFolder();
    if (takesFocus) element('files-path').querySelector<HTMLElement>('[aria-current]')?.focus();
  }

  #renderFolder(): void {
    const view = this.#view;
    if (!view) return;
    const names = view.path === '' ? [] : view.path.split('/');
    const crumbs = [t().project, ...names].map((name, index) => {
      const button = textElement('button', 'quiet', name);
      button.addEventListener('click', () => void this.#load(names.slice(0, index).join('/')));
      if (index === names.length) button.setAttribute('aria-current', 'true');
      return button;
    });
    element('files-path').replaceChildren(...crumbs);
    this.#list.replaceChildren(...view.rows.map((row) => this.#row(row, view.path)));
    this.#list.hidden = view.rows.length === 0;
    const text = view.isCut
      ? t().filesCut(view.rows.length)
      : view.rows.length === 0
        ? t().filesEmpty
        : t().filesHint;
    setText(element('files-hint'), `${text} ${t().filesFree(formatBytes(view.freeBytes))}`);
  }

  #row({ name, kind, size, modified }: FileRow, folder: string): HTMLElement {
    const path = folder === '' ? name : `${folder}/${name}`;
    const item = textElement('li', '', '');
    item.dataset.kind = kind;
    if (kind === 'folder') {
      const button = textElement('button', 'quiet', name);
      button.addEventListener('click', () => void this.#load(path));
      item.append(button);
    } else if (kind === 'file') {
      const link = document.createElement('a');
      link.textContent = name;
      link.href = `/files/content?${new URLSearchParams({ path })}`;
      link.download = name;
      item.append(
        link,
        textElement('span', 'hint', `${formatBytes(size)} · ${formatTime(new Date(modified).toISOString())}`),
      );
    } else {
      item.append(
        textElement('span', '', name),
        textElement('span', 'hint', kind === 'outside' ? t().filesOutside : t().filesOther),
      );
    }
    return item;
  }

  /** Rows are kept, so that a button keeps the focus while figures change. */
  readonly #rows = new Map<
    Sending,
    { item: HTMLElement; bar: HTMLProgressElement; text: HTMLElement; resume: HTMLElement }
  >();

  #renderSendings(): void {
    const { sendings } = this.#uploader;
    element('sending-title').hidden = sendings.length === 0;
    for (const [sending, { item }] of this.#rows) {
      if (sendings.includes(sending)) continue;
      item.remove();
      this.#rows.delete(sending);
    }
    for (const sending of sendings) {
      const row = this.#rows.get(sending) ?? this.#addSending(sending);
      row.bar.max = Math.max(1, sending.file.size);
      row.bar.value = sending.state === 'done' ? row.bar.max : sending.sent;
      row.bar.hidden = ['done', 'refused'].includes(sending.state);
      row.item.dataset.state = sending.state;
      row.resume.hidden = sending.state !== 'paused';
      setText(row.text, sendingText(sending));
    }
  }

  #addSending(sending: Sending) {
    const item = textElement('li', '', '');
    const name = textElement('code', '', sending.path);
    const bar = document.createElement('progress');
    bar.setAttribute('aria-label', sending.path);
    const text = textElement('p', 'hint', '');
    text.setAttribute('role', 'status');
    const resume = textElement('button', '', t().sendingResume);
    resume.addEventListener('click', () => this.#uploader.resume(sending));
    const remove = textElement('button', 'quiet', '✕');
    remove.setAttribute('aria-label', t().sendingRemove(sending.path));
    remove.title = t().sendingRemove(sending.path);
    remove.addEventListener('click', () => {
      this.#uploader.remove(sending);
      element('files').focus();
    });
    item.append(name, remove, bar, text, resume);
    element('sending').append(item);
    const row = { item, bar, text, resume };
    this.#rows.set(sending, row);
    return row;
  }
}

function sendingText({ state, sent, file, bytesPerSecond, error, placed, resumedAt }: Sending): string {
  const progress = t().of(formatBytes(sent), formatBytes(file.size));
  switch (state) {
    case 'waiting':
      return t().pending;
    case 'done':
      return t().sendingDone(placed ?? '');
    case 'refused':
      return error;
    case 'paused':
      return `${progress} · ${error}`;
    case 'retrying':
      return `${progress} · ${error} ${t().sendingRetry}`;
    case 'sending': {
      const rate = bytesPerSecond === null ? '' : ` · ${formatBytes(bytesPerSecond)}/s`;
      return progress + rate + (resumedAt > 0 ? ` · ${t().sendingResumed(formatBytes(resumedAt))}` : '');
    }
  }
}
