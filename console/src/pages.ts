import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { languageOf } from '../../sidecar/src/front/request-checks.ts';
import { SettingsError } from '../../sidecar/src/front/settings-error.ts';
import { fillTemplate, translateTemplate } from '../../sidecar/src/front/templates.ts';
import {
  isLanguage,
  LANGUAGE_COOKIE,
  LANGUAGE_SECONDS,
  type Language,
} from '../../sidecar/web/shared/languages.ts';
import type { Texts } from '../web/src/texts/en.ts';
import { TEXTS } from '../web/src/texts/index.ts';
import type { Visitor } from './visitors.ts';

/** The pages, each whole in its language before a script runs. */

export type Say = (texts: Texts) => string;

export interface Pages {
  app(language: Language): string;
  message(language: Language, title: Say, text: Say): string;
}

/** @throws SettingsError when the folder does not hold the built pages */
export function loadPages(directory: string): Pages {
  const read = (name: string) => {
    try {
      return readFileSync(join(directory, name), 'utf8');
    } catch (cause) {
      throw new SettingsError(
        `The web pages are not in ${directory}: ${name} cannot be read. Build them, or name the folder with --web.`,
        { cause },
      );
    }
  };
  const [app, message] = [read('app.html'), read('message.html')];
  return {
    app: (language) => fillTemplate(translateTemplate(app, language, TEXTS[language]), {}),
    message: (language, title, text) =>
      fillTemplate(translateTemplate(message, language, TEXTS[language]), {
        title: title(TEXTS[language]),
        text: text(TEXTS[language]),
      }),
  };
}

export const HTML = 'text/html; charset=utf-8';
const CHOICE = { path: '/', secure: true, sameSite: 'lax', maxAge: LANGUAGE_SECONDS } as const;

/** A place of this console to go to after signing in; anything else leads to the first page. */
export function ownPath(wanted: unknown): string {
  if (typeof wanted !== 'string' || wanted.length > 200) return '/';
  return /^\/(new|site|instances\/[a-z0-9-]{1,63})?$/.test(wanted) ? wanted : '/';
}

export interface PageParts {
  readonly pages: Pages;
  readonly visitorOf: (request: FastifyRequest) => Promise<Visitor | undefined>;
  /** A proxy signs users in: there is nowhere to send somebody who is not. */
  readonly isProxy: boolean;
}

export function addPages(app: FastifyInstance, { pages, visitorOf, isProxy }: PageParts): void {
  const page = async (request: FastifyRequest, reply: FastifyReply) => {
    const { language } = request.query as { language?: unknown };
    const path = request.url.split('?', 1)[0];
    if (isLanguage(language))
      return reply.setCookie(LANGUAGE_COOKIE, language, CHOICE).redirect(ownPath(path), 303);
    const visitor = await visitorOf(request);
    if (visitor !== undefined) return reply.type(HTML).send(pages.app(languageOf(request.headers)));
    if (!isProxy) return reply.redirect(`/sign-in?to=${encodeURIComponent(ownPath(path))}`, 303);
    const message = pages.message(
      languageOf(request.headers),
      (texts) => texts.noEntry,
      (texts) => texts.noEntryProxy,
    );
    return reply.code(403).type(HTML).send(message);
  };
  for (const path of ['/', '/new', '/site', '/instances/:name']) app.get(path, page);
  app.get('/livez', async () => 'ok\n');
}
