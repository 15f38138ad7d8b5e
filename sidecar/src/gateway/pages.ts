import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LANGUAGES, type Language } from '../../web/src/language.ts';
import type { Texts } from '../../web/src/texts/en.ts';
import { SettingsError } from './settings.ts';

/** Files of the built page folder that are filled in here; everything else in it is served as it is. */
const TEMPLATES = {
  login: 'login.html',
  app: 'app.html',
  watch: 'watch.html',
  message: 'message.html',
} as const;

const ESCAPES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ESCAPES[character] ?? character);
}

/**
 * Fills `{{name}}` with the escaped value of that name.
 * @throws Error when the template names a value that is not given: a mistake in the page, not in its data.
 */
export function fillTemplate(template: string, values: Readonly<Record<string, string>>): string {
  return template.replace(/\{\{(\w+)\}\}/g, (_whole, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`The page asks for "${name}", which is not among its values.`);
    return escapeHtml(value);
  });
}

/** Puts the sentences of a language where `data-t` names them in the page, which is written in English. */
export function translateTemplate(template: string, language: Language): string {
  const texts = LANGUAGES[language];
  return template
    .replace('<html lang="en">', `<html lang="${language}">`)
    .replace(/(\sdata-t="(\w+)"[^>]*>)[^<]*/g, (whole, start: string, key: string) => {
      const text = texts[key as keyof Texts];
      return typeof text === 'string' ? start + escapeHtml(text) : whole;
    });
}

/** A sentence, in the language that it is asked for. */
export type Say = (texts: Texts) => string;

export interface LoginPageContent {
  /** A sentence above the form. */
  readonly notice?: Say;
  readonly isError?: boolean;
  /** Seconds until the next attempt is allowed; none when it is now. */
  readonly waitSeconds?: number;
}

/** Each whole in its language, without scripts. */
export interface Pages {
  login(language: Language, content?: LoginPageContent): string;
  app(language: Language): string;
  watch(language: Language): string;
  message(language: Language, title: Say, text: Say): string;
}

/** @throws SettingsError when the folder does not hold the built pages. */
export function loadPages(webDirectory: string, instance: string): Pages {
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
  const fill = (name: keyof typeof TEMPLATES, language: Language, values: Record<string, string>) =>
    fillTemplate(translateTemplate(templates[name], language), { instance, ...values });
  return {
    login: (language, { notice, isError = false, waitSeconds = 0 } = {}) => {
      const texts = LANGUAGES[language];
      return fill('login', language, {
        title: texts.login,
        notice: notice?.(texts) ?? '',
        noticeKind: notice === undefined ? 'none' : isError ? 'error' : 'info',
        waitSeconds: String(waitSeconds),
        wait: texts.seconds(waitSeconds),
      });
    },
    app: (language) => fill('app', language, {}),
    watch: (language) => fill('watch', language, {}),
    message: (language, title, text) =>
      fill('message', language, { title: title(LANGUAGES[language]), text: text(LANGUAGES[language]) }),
  };
}
