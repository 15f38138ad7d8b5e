import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fillTemplate, translateTemplate } from '../../sidecar/src/front/templates.ts';
import type { Language } from '../../sidecar/web/shared/languages.ts';
import { TEXTS } from '../web/src/texts/index.ts';

/** The page on which a user of this machine signs in; it works without scripts. */
export function loadSignInPage(webDirectory: string): (language: Language, isWrong: boolean) => string {
  const template = readFileSync(join(webDirectory, 'sign-in.html'), 'utf8');
  return (language, isWrong) => {
    const texts = TEXTS[language];
    return fillTemplate(translateTemplate(template, language, texts), {
      title: texts.signIn,
      notice: isWrong ? texts.wrongPassword : '',
      noticeKind: isWrong ? 'error' : 'none',
    });
  };
}

/** @param form of the service, whose button is on the page */
export function loadSignOutPage(webDirectory: string): (language: Language, form: string) => string {
  const template = readFileSync(join(webDirectory, 'sign-out.html'), 'utf8');
  return (language, form) => {
    const texts = TEXTS[language];
    const page = fillTemplate(translateTemplate(template, language, texts), { title: texts.signOut });
    return page.replace('<!--form-->', () => form);
  };
}
