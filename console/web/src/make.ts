/** Elements from code. Text is text: nothing that comes from elsewhere is ever read as HTML. */

export type Child = Node | string | undefined | false;

type Attributes = Readonly<Record<string, string | boolean | undefined>>;

export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    made.setAttribute(name, value === true ? '' : value);
  }
  made.append(...children.filter((child) => child !== undefined && child !== false));
  return made;
}

let count = 0;

/** An id that no other element of the page has. */
export const freshId = (what: string): string => {
  count += 1;
  return `${what}-${count}`;
};

/** A button; while what it does is under way it cannot be pressed again. */
export function button(text: string, className: string, run: () => Promise<void> | void): HTMLButtonElement {
  const made = make('button', { type: 'button', class: className }, text);
  made.addEventListener('click', () => {
    const doing = run();
    if (doing === undefined) return;
    made.disabled = true;
    void doing.finally(() => {
      made.disabled = false;
    });
  });
  return made;
}
