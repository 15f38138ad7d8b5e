import type { ProgressEvent } from '../../src/view-types.ts';
import { formatDuration, t } from './language.ts';
import { make } from './make.ts';
import { instancePath } from './requests.ts';

/** What an operation does, step by step, each with its time. Goes on where it was when the connection comes back. */

interface Shown {
  readonly row: HTMLElement;
  readonly time: HTMLElement;
  readonly state: HTMLElement;
  readonly since: number;
  isOver: boolean;
}

export interface Progress {
  readonly element: HTMLElement;
  close(): void;
}

export function followOperation(
  name: string,
  onEnd: (end: { readonly isDone: boolean; readonly url?: string }) => void,
): Progress {
  const steps = make('ol', { class: 'steps' });
  const said = make('p', { class: 'said', role: 'status', lang: 'en' });
  const end = make('p', { role: 'alert' });
  const element = make('section', { class: 'one' }, make('h3', {}, t().progress), steps, said, end);
  const shown = new Map<string, Shown>();
  const tick = setInterval(() => {
    for (const one of shown.values()) if (!one.isOver) showTime(one, Date.now());
  }, 1000);
  const source = new EventSource(instancePath(name, '/events'));
  const close = () => {
    source.close();
    clearInterval(tick);
  };
  const finish = (end: Parameters<typeof onEnd>[0]) => {
    close();
    said.textContent = '';
    onEnd(end);
  };
  source.addEventListener('progress', ({ data }: MessageEvent<string>) => {
    const event = JSON.parse(data) as ProgressEvent;
    switch (event.event) {
      case 'waiting':
        said.textContent = t().waitingTurn;
        break;
      case 'begun':
        said.textContent = '';
        break;
      case 'said':
        said.textContent = event.text;
        break;
      case 'warning':
        end.before(make('p', { class: 'warning-text', lang: 'en' }, event.text));
        break;
      case 'step':
        showStep(event.step, Date.parse(event.at));
        break;
      case 'done':
        finish({ isDone: true, ...(event.url === undefined ? {} : { url: event.url }) });
        break;
      case 'failed':
        end.replaceChildren(
          make('span', { class: 'error-text' }, t().refusals[event.code]),
          make('span', { class: 'said', lang: 'en' }, ` ${event.what}`),
        );
        finish({ isDone: false });
        break;
    }
  });

  function showStep(step: Extract<ProgressEvent, { event: 'step' }>['step'], at: number): void {
    const key = `${step.operation} ${step.kind} ${step.name}`;
    let one = shown.get(key);
    if (one === undefined) {
      const verb = t().steps[step.operation] ?? step.operation;
      const [time, state] = [make('span', { class: 'time' }), make('span', { class: 'visually-hidden' })];
      const what = make(
        'span',
        {},
        `${verb} ${step.kind} `,
        make('span', { class: 'hint' }, step.name),
        state,
      );
      one = { row: make('li', {}, what, time), time, state, since: at, isOver: false };
      shown.set(key, one);
      steps.append(one.row);
    }
    one.row.dataset.state = step.state;
    one.state.textContent = ` ${t().stepStates[step.state] ?? step.state}`;
    one.isOver = step.state !== 'begun';
    showTime(one, at);
  }
  return { element, close };
}

function showTime({ time, since, isOver }: Shown, now: number): void {
  const seconds = Math.max(0, (now - since) / 1000);
  const length = seconds < 1 ? `< ${formatDuration(1)}` : formatDuration(seconds);
  time.textContent = isOver ? length : `${length} …`;
}
