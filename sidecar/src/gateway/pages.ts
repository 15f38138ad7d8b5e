import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SettingsError } from './settings.ts';

/** Files of the built page folder that are filled in here; everything else in it is served as it is. */
const TEMPLATES = { login: 'login.html', app: 'app.html', message: 'message.html' } as const;

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

export interface LoginPageContent {
  /** A sentence above the form; '' for none. */
  readonly notice: string;
  readonly isError: boolean;
  /** Seconds until the next attempt is allowed; 0 when it is now. */
  readonly waitSeconds: number;
}

export interface Pages {
  login(content: LoginPageContent): string;
  app(): string;
  message(title: string, text: string): string;
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
  const login = read(TEMPLATES.login);
  const app = read(TEMPLATES.app);
  const message = read(TEMPLATES.message);
  return {
    login: ({ notice, isError, waitSeconds }) =>
      fillTemplate(login, {
        instance,
        notice,
        noticeKind: notice === '' ? 'none' : isError ? 'error' : 'info',
        waitSeconds: String(waitSeconds),
      }),
    app: () => fillTemplate(app, { instance }),
    message: (title, text) => fillTemplate(message, { instance, title, text }),
  };
}
