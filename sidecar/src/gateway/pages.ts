import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Language } from '../../web/shared/languages.ts';
import { LANGUAGES } from '../../web/src/language.ts';
import type { Texts } from '../../web/src/texts/en.ts';
import { SettingsError } from '../front/settings-error.ts';
import { fillTemplate, translateTemplate } from '../front/templates.ts';

/** Files of the built page folder that are filled in here; everything else in it is served as it is. */
const TEMPLATES = {
  login: 'login.html',
  app: 'app.html',
  watch: 'watch.html',
  message: 'message.html',
} as const;

/** Leaves of the parts `{{#name}}…{{/name}}` of a page those that are shown. */
function keepSections(template: string, isShown: Readonly<Record<string, boolean>>): string {
  return template.replace(/\{\{#(\w+)\}\}([\s\S]*?)\{\{\/\1\}\}/g, (_whole, name: string, part: string) =>
    isShown[name] ? part : '',
  );
}

/** A sentence, in the language that it is asked for. */
export type Say = (texts: Texts) => string;

export interface LoginPageContent {
  /** A sentence above the form. */
  readonly notice?: Say;
  readonly isError?: boolean;
  /** Seconds until the next attempt is allowed; none when it is now. */
  readonly waitSeconds?: number;
  /** Who was signed in elsewhere may want to sign out there, too. */
  readonly offersSignOut?: boolean;
}

/** How one logs in at the page. */
export interface LoginDoors {
  readonly password: boolean;
  /** Where one signs in, as its user knows it. */
  readonly signInHost: string | undefined;
}

/** Each whole in its language, without scripts. */
export interface Pages {
  login(language: Language, content?: LoginPageContent): string;
  app(language: Language): string;
  watch(language: Language): string;
  message(language: Language, title: Say, text: Say): string;
}

/** @throws SettingsError when the folder does not hold the built pages. */
export function loadPages(webDirectory: string, instance: string, doors: LoginDoors): Pages {
  const read = (name: string) => {
    try {
      return readFileSync(join(webDirectory, name), 'utf8');
    } catch (cause) {
      throw new SettingsError(
        `The web pages are not in ${webDirectory}: ${name} cannot be read. Build the sidecar, or name the folder with --web.`,
        { cause },
      );
    }
  };
  const templates = {
    login: read(TEMPLATES.login),
    app: read(TEMPLATES.app),
    watch: read(TEMPLATES.watch),
    message: read(TEMPLATES.message),
  };
  const hasSignIn = doors.signInHost !== undefined;
  const hasBoth = hasSignIn && doors.password;
  const host = doors.signInHost ?? '';
  const fill = (template: string, language: Language, values: Record<string, string>) =>
    fillTemplate(translateTemplate(template, language, LANGUAGES[language]), { instance, ...values });
  return {
    login: (language, { notice, isError = false, waitSeconds = 0, offersSignOut = false } = {}) => {
      const texts = LANGUAGES[language];
      const isShown = { password: doors.password, signIn: hasSignIn, both: hasBoth, signOut: offersSignOut };
      return fill(keepSections(templates.login, isShown), language, {
        signIn: texts.signInAt(host),
        signOut: texts.signOutAt(host),
        title: texts.login,
        notice: notice?.(texts) ?? '',
        noticeKind: notice === undefined ? 'none' : isError ? 'error' : 'info',
        waitSeconds: String(waitSeconds),
        wait: texts.seconds(waitSeconds),
      });
    },
    app: (language) => fill(templates.app, language, {}),
    watch: (language) => fill(templates.watch, language, {}),
    message: (language, title, text) =>
      fill(templates.message, language, {
        title: title(LANGUAGES[language]),
        text: text(LANGUAGES[language]),
      }),
  };
}
