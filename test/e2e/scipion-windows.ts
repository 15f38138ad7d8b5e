import { setTimeout as sleep } from 'node:timers/promises';
import type { Page } from 'playwright-core';
import { eventually } from './world.ts';

/** Scipion's own windows in the remote desktop, used by the mouse: what is pressed is found by its words. */

export interface Shown {
  /** Title of the window that it is in. */
  readonly window: string;
  /** Class of the widget; `Item` in lists and in the tree of runs. */
  readonly kind: string;
  readonly text: string;
  /** What is typed or chosen in it; "1" and "0" of what is marked, or chosen, or not. */
  readonly value: string;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface Wanted {
  /** In the title of its window. */
  readonly window: string;
  readonly kind?: string;
  readonly text: string | RegExp;
  /** Words on whose line it is, where there are several. */
  readonly beside?: string;
}

/** Two cores that have much else to do take their time; a press that had no effect by then is made again. */
const EFFECT_SECONDS = 40;
const ATTEMPTS = 3;
const POLL_MS = 300;

export class ScipionWindows {
  readonly #page: Page;
  readonly #ask: () => Promise<readonly Shown[]>;

  /** @param ask what all windows show at this moment */
  constructor(page: Page, ask: () => Promise<readonly Shown[]>) {
    this.#page = page;
    this.#ask = ask;
  }

  async find(wanted: Wanted): Promise<Shown | undefined> {
    return pick(await this.#ask(), wanted);
  }

  /** Status of a run as its box in the tree says it; undefined: there is no such box. */
  async statusOf(project: string, label: string): Promise<string | undefined> {
    const box = await this.find(runBox(project, label));
    return /^\w+/.exec(box?.text.split('\n')[1] ?? '')?.[0];
  }

  /**
   * Presses it, and waits for what that does.
   * @param effect whether it has been pressed with success
   */
  async press(wanted: Wanted, effect: () => Promise<boolean>): Promise<void> {
    const what = JSON.stringify(wanted);
    for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
      let before: Shown | undefined;
      // Once it does not move any more: a window that opens is laid out step by step.
      const stands = async () => {
        if (attempt > 1 && (await effect())) return 'pressed';
        const found = await this.find(wanted);
        const isStill = found !== undefined && JSON.stringify(found) === JSON.stringify(before);
        before = found;
        return isStill ? found : undefined;
      };
      const place = await eventually(`${what} in a window of Scipion`, 90, stands, POLL_MS);
      if (place === 'pressed') return;
      await this.#click(place);
      const end = Date.now() + EFFECT_SECONDS * 1000;
      while (Date.now() < end) {
        // A window that is closing at this moment is asked for nothing.
        if (await effect().catch(() => false)) return;
        await sleep(POLL_MS);
      }
    }
    throw new Error(
      `Nothing came of pressing ${what}, ${ATTEMPTS} times; the windows show ${JSON.stringify(await this.#ask())}`,
    );
  }

  /** Opens a project of the projects window, which reads its list again where its filter is entered. */
  async openProject(project: string, label: string): Promise<void> {
    const name = { window: 'Projects (', kind: 'Label', text: project };
    await eventually(`the project ${project} in the list`, 90, async () => {
      if (await this.shows(name)()) return true;
      const filter = await this.find({ window: 'Projects (', kind: 'Entry', text: /./ });
      if (filter === undefined) return undefined;
      await this.#click(filter);
      await this.#page.keyboard.press('Enter');
      return undefined;
    });
    await this.press(name, this.shows(runBox(project, label)));
  }

  /**
   * As a user does who lets a run of the project go through the queue.
   * @param jobClass absent: none is chosen
   */
  async submit(project: string, label: string, jobClass?: string): Promise<void> {
    const form = { window: 'Protocol Run' };
    const dialog = { window: 'Queue parameters' };
    await this.#select(project, label);
    await this.press(
      { window: `${project} (`, kind: 'Label', text: 'Edit' },
      this.shows({ ...form, text: 'Execute' }),
    );
    const yes = { ...form, kind: 'Radiobutton', text: 'Yes', beside: 'Use a queue engine?' };
    await this.press(yes, async () => (await this.find(yes))?.value === '1');
    const choice = { ...dialog, kind: 'TCombobox', text: /./ };
    await this.press({ ...form, text: 'Execute' }, this.shows(choice));
    if (jobClass !== undefined) {
      const item = { window: 'popdown', kind: 'Item', text: jobClass };
      await this.press(choice, this.shows(item));
      await this.press(item, async () => (await this.find(choice))?.value === jobClass);
    }
    const ok = { ...dialog, kind: 'Button', text: 'OK' };
    await this.press(ok, async () => !['saved', undefined].includes(await this.statusOf(project, label)));
  }

  async stop(project: string, label: string): Promise<void> {
    await this.#select(project, label);
    const yes = { window: 'Confirm STOP', kind: 'Button', text: /Yes/ };
    await this.press({ window: `${project} (`, kind: 'Label', text: 'Stop' }, this.shows(yes));
    await this.press(yes, async () => (await this.statusOf(project, label)) === 'aborted');
  }

  /** Waits for a status of a run, and lets Scipion look at it meanwhile. */
  async until(project: string, label: string, status: string): Promise<void> {
    const refresh = { window: `${project} (`, kind: 'Label', text: 'Refresh' };
    await eventually(`the run "${label}" ${status}`, 180, async () => {
      const found = await this.statusOf(project, label);
      if (found === status) return true;
      const place = await this.find(refresh);
      if (place !== undefined) await this.#click(place);
      throw new Error(`it is ${found}`);
    });
  }

  shows(wanted: Wanted): () => Promise<boolean> {
    return async () => (await this.find(wanted)) !== undefined;
  }

  #select(project: string, label: string): Promise<void> {
    const box = runBox(project, label);
    return this.press(box, async () => (await this.find(box))?.value === '1');
  }

  async #click({ x, y, width, height }: Shown): Promise<void> {
    const canvas = this.#page.locator('#desktop canvas:not(.last-picture)');
    const [shown, drawn] = await Promise.all([
      canvas.boundingBox(),
      canvas.evaluate((element) => (element as unknown as { width: number }).width),
    ]);
    if (shown === null) throw new Error('The page shows no desktop.');
    const scale = shown.width / drawn;
    const [left, top] = [shown.x + (x + Math.min(width, 60) / 2) * scale, shown.y + (y + height / 2) * scale];
    await this.#page.mouse.move(left, top);
    await this.#page.mouse.click(left, top);
    // What explains itself under the mouse covers what is beside it.
    await this.#page.mouse.move(shown.x + shown.width - 5, shown.y + shown.height * 0.55);
  }
}

export const runBox = (project: string, label: string): Wanted => ({
  window: `${project} (`,
  kind: 'Item',
  text: new RegExp(`^${label}\\n`),
});

function pick(all: readonly Shown[], { window, kind, text, beside }: Wanted): Shown | undefined {
  const inWindow = all.filter((each) => each.window.includes(window));
  const found = inWindow.filter(
    (each) =>
      (kind === undefined || each.kind === kind) &&
      (typeof text === 'string' ? each.text === text : text.test(each.text)),
  );
  if (beside === undefined) return found[0];
  const line = inWindow.find((each) => each.text === beside);
  return line && found.find((each) => each.y < line.y + line.height && line.y < each.y + each.height);
}
