import { element } from '../../../sidecar/web/shared/dom.ts';
import { showInstance } from './detail.ts';
import { t, takeLanguage } from './language.ts';
import { showMine } from './list.ts';
import { make } from './make.ts';
import { showForm } from './new-form.ts';
import { post, sentenceOf, signedIn } from './requests.ts';
import { showSite } from './site.ts';

/** Each address is a page of its own: what the list leads to can be linked, opened beside it, and gone back from. */

const main = element('main');

async function start(): Promise<void> {
  takeLanguage();
  document.title = `${t().title} · Scipion`;
  const me = await signedIn();
  element('user').textContent = me.name;
  element('site-link').hidden = !me.isOperator;
  const announcement = element('announcement');
  announcement.textContent = me.announcement ?? '';
  announcement.hidden = me.announcement === undefined;
  const signOut = element<HTMLButtonElement>('sign-out');
  signOut.hidden = !me.canSignOut;
  signOut.addEventListener('click', async () => {
    signOut.disabled = true;
    const { to } = await post<{ to: string }>('/sign-out').catch(() => ({ to: '/' }));
    location.assign(to);
  });
  markPlace();
  const { pathname } = location;
  const name = /^\/instances\/([a-z0-9-]+)$/.exec(pathname)?.[1];
  if (name !== undefined) await showInstance(main, name, me.isOperator);
  else if (pathname === '/new') await showForm(main, location.hash.slice(1));
  else if (pathname === '/site' && me.isOperator) await showSite(main, me.announcement ?? '');
  else showMine(main);
}

function markPlace(): void {
  for (const link of document.querySelectorAll('nav a'))
    if (link.getAttribute('href') === location.pathname) link.setAttribute('aria-current', 'page');
}

start().catch((error: unknown) => {
  main.replaceChildren(
    make('p', { class: 'notice', 'data-kind': 'error', role: 'alert' }, sentenceOf(error)),
  );
});
