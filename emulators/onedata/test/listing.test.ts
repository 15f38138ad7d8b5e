import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { errorOf, Given } from './given.ts';

let given: Given;
beforeAll(async () => {
  given = await Given.start();
});
afterAll(() => given.dispose());

/** Every page of a listing with `limit`, by its tokens. */
async function pages(path: string, limit: number, more = '') {
  const all = [];
  for (let token = ''; ; ) {
    const answer = await given.op('GET', `${path}?limit=${limit}${token && `&token=${token}`}${more}`);
    if (answer.status !== 200) throw new Error(answer.text);
    all.push(answer.json);
    if (answer.json.nextPageToken === null) return all;
    token = answer.json.nextPageToken;
  }
}

describe('children', () => {
  const names = ['B', 'Z', 'a', 'a-b', 'b', 'é', '電', '🔬'];
  let id: string;
  beforeAll(async () => {
    for (const name of names) await given.put(`list/${encodeURIComponent(name)}`);
    id = (await given.op('POST', 'lookup-file-id/lab/list')).json.fileId;
  });
  const listed = (page: { children: { name: string }[] }) => page.children.map(({ name }) => name);

  test('in bytewise order, over pages, with isLast and a token', async () => {
    const all = await pages(`data/${id}/children`, 3);
    expect(all.map(listed)).toEqual([names.slice(0, 3), names.slice(3, 6), names.slice(6)]);
    expect(all.map(({ isLast }) => isLast)).toEqual([false, false, true]);
    expect(Object.keys(all[0].children[0]).sort()).toEqual(['fileId', 'file_id', 'name']);
  });

  test('a page that ends with the last entry is the last', async () => {
    expect(await pages(`data/${id}/children`, names.length)).toHaveLength(1);
  });

  test('from an index on, and relative to it', async () => {
    const from = async (query: string) =>
      listed((await given.op('GET', `data/${id}/children?${query}`)).json);
    expect(await from('index=a&limit=2')).toEqual(['a', 'a-b']);
    expect(await from('index=a&offset=-1&limit=2')).toEqual(['Z', 'a']);
    expect(await from('index=a&offset=2&limit=1')).toEqual(['b']);
    expect(await from('offset=6')).toEqual(['電', '🔬']);
  });

  test('wrong parameters', async () => {
    const query = async (text: string) => errorOf(await given.op('GET', `data/${id}/children?${text}`));
    expect(await query('limit=0')).toBe('400 badValueNotInRange');
    expect(await query('limit=10001')).toBe('400 badValueNotInRange');
    expect(await query('limit=x')).toBe('400 badValueInteger');
    expect(await query('offset=501')).toBe('400 badValueNotInRange');
    expect(await query('token=rubbish')).toBe('400 einval');
    const [page] = await pages(`data/${id}/files`, 3).then((all) => all.slice(0, 1));
    expect(errorOf(await given.op('GET', `data/sp1/children?token=${page.nextPageToken}`))).toBe(
      '400 einval',
    );
  });

  test('a file lists itself alone', async () => {
    const file = await given.put('alone');
    expect((await given.op('GET', `data/${file}/children`)).json).toEqual({
      children: [{ fileId: file, file_id: file, name: 'alone' }],
      isLast: true,
      nextPageToken: null,
    });
  });

  test('internal names exist but are never listed', async () => {
    await given.put('hidden/.__onedata__x');
    await given.put('hidden/x%23%23%23%23TO_DELETE');
    const hidden = (await given.op('POST', 'lookup-file-id/lab/hidden')).json.fileId;
    expect((await given.op('GET', `data/${hidden}/children`)).json.children).toEqual([]);
    expect((await given.op('GET', 'data/sp1/path/hidden/.__onedata__x')).status).toBe(200);
  });
});

describe('files', () => {
  const files = ['a/x', 'a/y/z', 'a-b', 'b/c/d', 'b/e'];
  let id: string;
  beforeAll(async () => {
    for (const path of files) await given.put(`walk/${path}`);
    await given.op('PUT', 'data/sp1/path/walk/a/empty?type=DIR');
    id = (await given.op('POST', 'lookup-file-id/lab/walk')).json.fileId;
  });
  const paths = (all: { files: { path: string }[] }[]) =>
    all.flatMap((page) => page.files.map(({ path }) => path));

  test.each([1, 2, 3, 100])('depth first by component, pages of %d, no isLast', async (limit) => {
    const all = await pages(`data/${id}/files`, limit);
    expect(paths(all)).toEqual(files);
    expect('isLast' in all[0]).toBe(false);
    expect(all[0].inaccessiblePaths).toEqual([]);
  });

  test('start_after need not exist, prefix cuts', async () => {
    const list = async (query: string) => paths([(await given.op('GET', `data/${id}/files?${query}`)).json]);
    expect(await list('start_after=a/y')).toEqual(['a/y/z', 'a-b', 'b/c/d', 'b/e']);
    expect(await list('start_after=a/zzz')).toEqual(['a-b', 'b/c/d', 'b/e']);
    expect(await list('prefix=b/c')).toEqual(['b/c/d']);
    expect(await list('prefix=a')).toEqual(['a/x', 'a/y/z', 'a-b']);
  });

  test('directories only when asked for; resumed pages lose some, as with the original', async () => {
    const [whole] = await pages(`data/${id}/files`, 100, '&include_directories=true');
    expect(paths([whole])).toEqual([
      '.',
      'a',
      'a/empty',
      'a/x',
      'a/y',
      'a/y/z',
      'a-b',
      'b',
      'b/c',
      'b/c/d',
      'b/e',
    ]);
    const resumed = paths(await pages(`data/${id}/files`, 1, '&include_directories=true'));
    expect(resumed.filter((path) => files.includes(path))).toEqual(files);
    expect(new Set(resumed).size).toBe(resumed.length);
  });
});

describe('release 21.02.4', () => {
  let old: Given;
  beforeAll(async () => {
    old = await Given.start({ version: '21.02.4' });
  });
  afterAll(() => old.dispose());

  test('old names, one attribute at a file, none of the new', async () => {
    const id = await old.put('file', 'abc');
    expect((await old.op('GET', `data/${id}?attribute=size`)).json).toEqual({ size: 3 });
    expect((await old.op('GET', `data/${id}?attribute=size&attribute=name`)).json).toEqual({});
    const all = (await old.op('GET', `data/${id}?attributes=fileId`)).json;
    expect(all).toMatchObject({ file_id: id, mode: '664', size: 3 });
    expect(all.fileId).toBeUndefined();
    const children = (await old.op('GET', 'data/sp1/children?attribute=file_id&attribute=size')).json;
    expect(children.children).toEqual([{ file_id: id, size: 3 }]);
  });

  test('21.02.1 has no infer scope and small pages', async () => {
    const oldest = await Given.start({ version: '21.02.1' });
    try {
      const infer = await oldest.zone('POST', 'tokens/infer_access_token_scope', {
        body: { token: oldest.token },
      });
      expect(infer.status).toBe(404);
      expect(errorOf(await oldest.op('GET', 'data/sp1/children?limit=1001'))).toBe('400 badValueNotInRange');
    } finally {
      await oldest.dispose();
    }
  });
});
