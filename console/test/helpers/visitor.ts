import type { Me } from '../../src/view-types.ts';
import { PASSWORD, type RunningConsole } from './start-console.ts';

/** A browser without pages: cookies for each origin, and redirects that are followed one by one. */

export interface Answer {
  readonly status: number;
  readonly location: string | null;
  readonly headers: Headers;
  readonly text: string;
  json<T = Record<string, unknown>>(): T;
}

export interface RequestOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal?: AbortSignal;
}

export class Visitor {
  readonly cookies = new Map<string, Map<string, string>>();
  csrf = '';

  /** All that `origin` set, as one header. */
  cookieOf(origin: string): string {
    return [...(this.cookies.get(origin) ?? [])].map(([name, value]) => `${name}=${value}`).join('; ');
  }

  async request(
    url: string,
    { method = 'GET', headers = {}, body, signal }: RequestOptions = {},
  ): Promise<Answer> {
    const { origin } = new URL(url);
    const answer = await fetch(url, {
      method,
      redirect: 'manual',
      headers: { cookie: this.cookieOf(origin), ...headers },
      ...(body === undefined ? {} : { body }),
      ...(signal === undefined ? {} : { signal }),
    });
    const jar = this.cookies.get(origin) ?? new Map<string, string>();
    this.cookies.set(origin, jar);
    for (const line of answer.headers.getSetCookie()) {
      const [pair = ''] = line.split(';');
      const at = pair.indexOf('=');
      if (pair.slice(at + 1) === '' || /expires=thu, 01 jan 1970/i.test(line)) jar.delete(pair.slice(0, at));
      else jar.set(pair.slice(0, at), pair.slice(at + 1));
    }
    const text = await answer.text();
    return {
      status: answer.status,
      location: answer.headers.get('location'),
      headers: answer.headers,
      text,
      json: <T>() => JSON.parse(text) as T,
    };
  }

  /** From one redirect to the next. @returns the answer that is none, and all addresses */
  async follow(url: string): Promise<{ readonly answer: Answer; readonly urls: string[] }> {
    const urls = [url];
    for (let count = 0; count < 12; count += 1) {
      const answer = await this.request(urls.at(-1) ?? url);
      if (answer.location === null) return { answer, urls };
      urls.push(new URL(answer.location, urls.at(-1)).href);
    }
    throw new Error(`redirected for ever: ${urls.join(' ')}`);
  }

  /** The form of the sign-in service, sent. @returns where it leads */
  async sendForm(url: string, name: string, password = PASSWORD): Promise<Answer> {
    return this.request(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        origin: new URL(url).origin,
        'sec-fetch-site': 'same-origin',
      },
      body: new URLSearchParams({ username: name, password }).toString(),
    });
  }

  /** Signs in, up to the answer that the service gives to the console. @returns its address */
  async answerOfService({ origin }: RunningConsole, name: string, to = '/'): Promise<string> {
    const { urls } = await this.follow(`${origin}/sign-in?to=${encodeURIComponent(to)}`);
    let next = urls.at(-1) ?? '';
    let answer = await this.sendForm(next, name);
    for (let count = 0; answer.location !== null && count < 8; count += 1) {
      next = new URL(answer.location, next).href;
      if (next.startsWith(`${origin}/sign-in/callback`)) return next;
      answer = await this.request(next);
    }
    throw new Error(`the service did not answer: ${answer.status} ${answer.text.slice(0, 200)}`);
  }

  async signIn(running: RunningConsole, name: string, to = '/'): Promise<Answer> {
    const answer = await this.request(await this.answerOfService(running, name, to));
    if (answer.status !== 303) throw new Error(`${name} was not let in: ${answer.status} ${answer.text}`);
    this.csrf = (await this.get(running, '/api/me')).json<Me>().csrf;
    return answer;
  }

  get({ origin }: RunningConsole, path: string): Promise<Answer> {
    return this.request(`${origin}${path}`);
  }

  post({ origin }: RunningConsole, path: string, body: object = {}, headers = {}): Promise<Answer> {
    return this.request(`${origin}${path}`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'x-csrf-token': this.csrf,
        origin,
        'sec-fetch-site': 'same-origin',
        ...headers,
      },
      body: JSON.stringify(body),
    });
  }
}

export async function visitor(running: RunningConsole, name: string): Promise<Visitor> {
  const made = new Visitor();
  await made.signIn(running, name);
  return made;
}
