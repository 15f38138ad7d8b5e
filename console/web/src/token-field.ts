import type { SpaceChoice, TokenAnswer } from '../../src/view-types.ts';
import { t } from './language.ts';
import { freshId, make } from './make.ts';
import { post, sentenceOf } from './requests.ts';

/** A token that is pasted, and the space that is chosen of those that it opens. */

type Side = 'source' | 'project';

export interface TokenField {
  readonly row: HTMLElement;
  readonly token: () => string;
  readonly spaceId: () => string;
  /** Providers of the chosen space; none where that is not known. */
  readonly providers: () => readonly string[];
  /** The other side has changed: what must differ is looked at again. */
  readonly lookAgain: () => void;
}

export interface TokenFieldOptions {
  readonly side: Side;
  readonly name: () => string;
  /** The token and space of the other side; for the project side they must differ. */
  readonly other: () => { readonly token: string; readonly spaceId: string };
  readonly onChange: () => void;
}

export function tokenField({ side, name, other, onChange }: TokenFieldOptions): TokenField {
  const [tokenId, spaceFieldId] = [freshId('token'), freshId('space')];
  const hint = make('p', { class: 'hint', id: `${tokenId}-hint` }, t().tokenHint);
  const said = make('div', { class: 'one', id: `${tokenId}-said`, role: 'status' });
  const input = make('input', {
    type: 'password',
    id: tokenId,
    autocomplete: 'new-password',
    spellcheck: 'false',
    'aria-describedby': `${tokenId}-hint ${tokenId}-said`,
  });
  const place = make('div', { class: 'one' });
  const notes = make('div', { class: 'one', role: 'status' });
  const label = side === 'source' ? t().sourceToken : t().projectToken;
  const spaceLabel = side === 'source' ? t().sourceSpace : t().projectSpace;
  let spaces: readonly SpaceChoice[] = [];
  let chosen: HTMLSelectElement | HTMLInputElement | undefined;
  let asked = '';

  const say = (kind: 'error-text' | 'warning-text' | 'hint', text: string) =>
    said.replaceChildren(make('p', { class: kind }, text));
  const space = () => spaces.find(({ id }) => id === chosen?.value);
  const showNotes = () => {
    const found = space();
    const lines: string[] = [];
    for (const { code, message } of found?.advice ?? [])
      lines.push(code === 'could-write' ? t().couldWrite : code === 'ends-soon' ? t().endsSoon : message);
    const users = found?.usedBy ?? [];
    const named = users.map((one) => (one.owner === null ? one.name : t().usedByOwner(one.name, one.owner)));
    if (named.length > 0) lines.push(t().usedBy(named.join(', ')));
    notes.replaceChildren(...lines.map((text) => make('p', { class: 'warning-text' }, text)));
    onChange();
  };
  const faultOf = (one: SpaceChoice): string | undefined => {
    if (one.fault !== undefined) return t().tokenFaults[one.fault.code] ?? one.fault.message;
    return side === 'project' && one.id === other().spaceId ? t().sameSpace : undefined;
  };
  const showSpaces = (control: HTMLSelectElement | HTMLInputElement) => {
    chosen = control;
    control.addEventListener('change', showNotes);
    place.replaceChildren(make('label', { for: spaceFieldId }, spaceLabel), control, notes);
    showNotes();
  };
  const chooser = (before: string) => {
    const select = make('select', { id: spaceFieldId });
    select.append(make('option', { value: '' }, t().chooseSpace));
    for (const one of spaces) {
      const fault = faultOf(one);
      const where = one.providers.length === 0 ? t().noProvider : t().atProviders(one.providers.join(', '));
      const text = `${one.name}: ${fault ?? where}`;
      select.append(make('option', { value: one.id, disabled: fault !== undefined }, text));
    }
    const usable = spaces.filter((one) => faultOf(one) === undefined);
    select.value = usable.some(({ id }) => id === before)
      ? before
      : usable.length === 1
        ? (usable[0]?.id ?? '')
        : '';
    return select;
  };
  const look = async () => {
    const token = input.value.trim();
    if (token === asked) return;
    asked = token;
    spaces = [];
    chosen = undefined;
    place.replaceChildren();
    said.replaceChildren();
    onChange();
    if (token === '') return;
    if (side === 'project' && token === other().token) return say('error-text', t().sameToken);
    say('hint', t().checkingToken);
    try {
      const answer = await post<TokenAnswer>('/api/token', { side, token, name: name() });
      if (asked !== token) return;
      said.replaceChildren();
      if (answer.kind === 'unusable')
        return say('error-text', t().tokenFaults[answer.code] ?? answer.message);
      if (answer.kind === 'unasked') {
        said.replaceChildren(make('p', { class: 'warning-text', lang: 'en' }, answer.message));
        const id = make('input', {
          type: 'text',
          id: spaceFieldId,
          autocomplete: 'off',
          spellcheck: 'false',
        });
        place.replaceChildren();
        return showSpaces(id);
      }
      spaces = answer.spaces;
      showSpaces(chooser(''));
    } catch (error) {
      asked = '';
      say('error-text', sentenceOf(error));
    }
  };
  input.addEventListener('change', () => void look());
  input.addEventListener('paste', () => setTimeout(() => void look()));
  return {
    row: make('div', { class: 'one' }, make('label', { for: tokenId }, label), input, hint, said, place),
    token: () => input.value.trim(),
    spaceId: () => chosen?.value.trim() ?? '',
    providers: () => space()?.providers ?? [],
    lookAgain: () => {
      if (spaces.length > 0) showSpaces(chooser(chosen?.value ?? ''));
    },
  };
}
