import { expect, test } from 'vitest';
import type { OnedataHttp } from '../../src/spaces/onedata/http-client.ts';
import { ProviderClient } from '../../src/spaces/onedata/provider-client.ts';

/** Listings whose pages lead on for ever. */

const child = (name: string) => ({ fileId: name, name, type: 'REG', size: 1, mtime: 1, index: name });
type Page = (token: string | undefined, count: number) => object;
const MOST_REQUESTS = 500;

function client(page: Page) {
  let requests = 0;
  const json = async ({ url }: { url: string }, schema: { parse(value: unknown): unknown }) => {
    if (!url.includes('/children')) return schema.parse({ version: '21.02.8' });
    requests += 1;
    if (requests > MOST_REQUESTS) throw new Error('it goes on for ever');
    return schema.parse(page(new URL(url, 'https://x').searchParams.get('token') ?? undefined, requests));
  };
  return new ProviderClient({ json } as unknown as OnedataHttp, 'space');
}

const ENDLESS: readonly [string, Page][] = [
  ['the same token', (_, count) => ({ children: [child(`f${count}`)], nextPageToken: 'A' })],
  [
    'two tokens that take turns',
    (token) => ({ children: [child(`f${token}`)], nextPageToken: token === 'A' ? 'B' : 'A' }),
  ],
  [
    'a circle of many tokens',
    (token) => ({ children: [child(`f${token}`)], nextPageToken: `${(Number(token ?? 0) + 1) % 50}` }),
  ],
  ['empty pages with new tokens', (_, count) => ({ children: [], nextPageToken: `${count}` })],
  [
    'a circle that says it is not the last',
    (token) => ({ children: [], isLast: false, nextPageToken: token === 'A' ? 'B' : 'A' }),
  ],
];
test.each(ENDLESS)('%s: the listing is told to be incomplete', async (_, page) => {
  const all = async () => {
    for await (const children of client(page).children('id', { path: 'folder' }))
      expect(children).toBeDefined();
  };
  await expect(all()).rejects.toMatchObject({ code: 'listing-incomplete' });
});

test('pages that hold nothing, between others, are passed over', async () => {
  const found: string[] = [];
  const sparse: Page = (_, count) => ({
    children: count % 20 === 0 ? [child(`f${count}`)] : [],
    ...(count === 200 ? { isLast: true } : { nextPageToken: `${count}` }),
  });
  for await (const page of client(sparse).children('id')) found.push(...page.map(({ name }) => String(name)));
  expect(found).toHaveLength(10);
});
