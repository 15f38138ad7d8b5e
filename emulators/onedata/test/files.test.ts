import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { errorOf, Given } from './given.ts';

let given: Given;
beforeAll(async () => {
  given = await Given.start();
});
afterAll(() => given.dispose());

describe('spaces and ids', () => {
  test('a space has its ids under old and new names', async () => {
    const { json } = await given.op('GET', 'spaces/sp1');
    expect(json).toMatchObject({
      spaceId: 'sp1',
      name: 'lab',
      providers: [{ providerId: 'provider-a', providerName: 'Provider A' }],
    });
    expect(json.fileId).toBe(json.dirId);
    expect((await given.op('GET', `data/${json.trashDirId}`)).json.name).toBe('.trash');
    expect((await given.op('GET', 'spaces')).json.map(({ spaceId }: { spaceId: string }) => spaceId)).toEqual(
      ['sp1', 'sp2'],
    );
  });

  test('each kind of wrong id has its own answer', async () => {
    const hex = (text: string) => Buffer.from(text).toString('hex');
    const cases: [string, string][] = [
      ['data/rubbish', '400 spaceNotSupportedBy'],
      ['data/sp3', '400 spaceNotSupportedBy'],
      [`data/${hex('guid#abc#sp1')}`, '400 enoent'],
      [`data/${hex('guid#abc#nowhere')}`, '403 forbidden'],
      ['spaces/nowhere', '403 forbidden'],
      ['spaces/sp3', '400 spaceNotSupportedBy'],
    ];
    for (const [path, expected] of cases)
      expect(`${path}: ${errorOf(await given.op('GET', path))}`).toBe(`${path}: ${expected}`);
    expect((await given.op('GET', 'data/rubbish')).json.error.details).toEqual({
      spaceId: 'rubbish',
      providerId: 'provider-a',
    });
  });

  test('a path is looked up by the name of its space', async () => {
    const id = await given.put('look/me%20up', 'x');
    for (const space of ['lab', 'lab@sp1']) {
      expect((await given.op('POST', `lookup-file-id/${space}/look/./me%20up`)).json).toEqual({ fileId: id });
    }
    for (const path of ['lab/absent', 'nolab/x', 'lab@sp2/look', 'lab/look/../look']) {
      expect(errorOf(await given.op('POST', `lookup-file-id/${path}`))).toBe('400 enoent');
    }
    expect(errorOf(await given.op('POST', 'lookup-file-id/lab/look/me%20up/below'))).toBe('400 enotdir');
    expect((await given.op('GET', 'lookup-file-id/lab')).status).toBe(405);
  });
});

describe('attributes', () => {
  test('none asked: everything under both generations of names', async () => {
    const id = await given.put('attributes', 'hello');
    const { json } = await given.op('GET', `data/${id}`);
    expect(json).toMatchObject({
      fileId: id,
      file_id: id,
      name: 'attributes',
      type: 'REG',
      size: 5,
      posixPermissions: '664',
      mode: '664',
      hardlinkCount: 1,
      path: '/lab/attributes',
    });
    expect(json.mtime).toBe(Math.trunc(json.mtime));
  });

  test('asked by query, by body of the GET, and both: the query wins', async () => {
    const id = await given.put('asked', 'hello');
    expect((await given.op('GET', `data/${id}?attributes=name&attributes=size`)).json).toEqual({
      name: 'asked',
      size: 5,
    });
    const body = { attributes: ['name', 'type'] };
    expect((await given.op('GET', `data/${id}`, { body })).json).toEqual({ name: 'asked', type: 'REG' });
    expect((await given.op('GET', `data/${id}?attributes=size`, { body })).json).toEqual({ size: 5 });
    expect((await given.op('GET', `data/${id}?attribute=file_id`)).json).toEqual({ file_id: id });
    const unknown = await given.op('GET', `data/${id}?attributes=nonsense`);
    expect(unknown.json.error).toMatchObject({ id: 'badValueNotAllowed', details: { key: 'attributes' } });
    expect(unknown.json.error.details.allowed).toContain('xattr.*');
  });

  test('bodies that are no JSON object are refused', async () => {
    expect(
      errorOf(
        await given.op('GET', 'data/sp1', { body: '[1]', headers: { 'content-type': 'application/json' } }),
      ),
    ).toBe('400 malformedData');
    expect(
      (await given.op('GET', 'data/sp1', { body: '{}', headers: { 'content-type': 'text/plain' } })).status,
    ).toBe(415);
  });

  test('who takes no JSON gets none', async () => {
    const status = async (path: string, accept: string) =>
      (await given.op('GET', path, { headers: { accept } })).status;
    for (const path of ['spaces', 'data/sp1', 'data/sp1/children', 'configuration']) {
      expect(await status(path, 'text/html, image/png;q=0.5')).toBe(406);
      expect(await status(path, 'text/html, */*;q=0.1')).toBe(200);
      expect(await status(path, 'application/json')).toBe(200);
    }
  });

  test('only the mode can be set, as octal text', async () => {
    const id = await given.put('mode', 'x');
    expect((await given.op('PUT', `data/${id}`, { body: { mode: '0640' } })).status).toBe(204);
    expect((await given.op('GET', `data/${id}?attributes=posixPermissions`)).json.posixPermissions).toBe(
      '640',
    );
    expect((await given.op('PUT', `data/${id}`, { body: { mode: '0899' } })).json.error).toMatchObject({
      id: 'badValueInteger',
    });
    expect((await given.op('PUT', `data/${id}`, { body: { mode: '2000' } })).json.error).toMatchObject({
      id: 'badValueNotInRange',
      details: { key: 'mode', low: 0, high: 1023 },
    });
    expect(errorOf(await given.op('PUT', `data/${id}`, { body: { mtime: 5 } }))).toBe(
      '400 missingRequiredValue',
    );
  });
});

describe('create', () => {
  const create = (query: string, body?: string) =>
    given.op('POST', `data/sp1/children?${query}`, body === undefined ? {} : { body });

  test('201 with id and location; then it is there', async () => {
    const made = await create('name=made%20here', 'content');
    expect(made.status).toBe(201);
    const { fileId } = made.json;
    expect(made.headers.location).toBe(
      `https://${given.emulator.providerHost}/api/v3/oneprovider/data/${fileId}`,
    );
    expect((await given.op('GET', `data/${fileId}/content`)).text).toBe('content');
  });

  test('what stands in the way', async () => {
    await given.put('way/file');
    const cases: [string, string, string][] = [
      ['POST', 'data/sp1/children?name=way', '400 eexist'],
      ['POST', 'data/sp1/children?name=a%2Fb', '400 einval'],
      ['POST', 'data/sp1/children?name=..', '400 einval'],
      ['POST', 'data/sp1/children?name=.trash', '400 eperm'],
      ['POST', 'data/sp1/children', '400 missingRequiredValue'],
      ['PUT', 'data/sp1/path/no/parent', '400 enoent'],
      ['PUT', 'data/sp1/path/way/file/below', '400 enotdir'],
      ['PUT', 'data/sp1/path/way/../up', '400 badValueFilePath'],
      ['PUT', 'data/sp1/path/', '400 missingRequiredValue'],
      ['PUT', 'data/sp1/path/odd?type=FIFO', '400 badValueNotAllowed'],
    ];
    for (const [method, path, expected] of cases) {
      expect(`${path}: ${errorOf(await given.op(method, path))}`).toBe(`${path}: ${expected}`);
    }
  });

  test('parents made on the way get the same mode as the file', async () => {
    await given.op('PUT', 'data/sp1/path/deep/er/file?create_parents=true&mode=600');
    const { fileId } = (await given.op('POST', 'lookup-file-id/lab/deep/er')).json;
    expect(
      (await given.op('GET', `data/${fileId}?attributes=posixPermissions&attributes=type`)).json,
    ).toEqual({
      posixPermissions: '600',
      type: 'DIR',
    });
  });

  test('update_existing writes over without truncating and resets the mode', async () => {
    const id = await given.put('over', 'long content');
    await given.op('PUT', `data/${id}`, { body: { mode: '600' } });
    const answer = await given.op('PUT', 'data/sp1/path/over?update_existing=true', { body: 'SHORT' });
    expect(answer.json).toEqual({ fileId: id });
    expect((await given.op('GET', `data/${id}/content`)).text).toBe('SHORTcontent');
    expect((await given.op('GET', `data/${id}?attributes=posixPermissions`)).json.posixPermissions).toBe(
      '664',
    );
  });

  test('hard links are further names of one content', async () => {
    const id = await given.put('links/first', 'one');
    const link = await given.op('PUT', `data/sp1/path/links/second?type=LNK&target_file_id=${id}`);
    expect(link.status).toBe(201);
    expect(link.json.fileId).not.toBe(id);
    await given.op('PUT', `data/${link.json.fileId}/content`, { body: 'changed' });
    expect((await given.op('GET', `data/${id}/content`)).text).toBe('changed');
    expect((await given.op('GET', `data/${id}?attributes=hardlinkCount&attributes=type`)).json).toEqual({
      hardlinkCount: 2,
      type: 'REG',
    });
    expect((await given.op('GET', `data/${id}/hardlinks`)).json.sort()).toEqual(
      [id, link.json.fileId].sort(),
    );
    await given.op('DELETE', `data/${id}`);
    expect((await given.op('GET', 'data/sp1/path/links/second')).text).toBe('changed');
  });

  test('symbolic links hold any text and are followed on reading', async () => {
    await given.put('sym/file', 'through');
    const make = async (name: string, target: string) =>
      (
        await given.op(
          'PUT',
          `data/sp1/path/sym/${name}?type=SYMLNK&target_file_path=${encodeURIComponent(target)}`,
        )
      ).json.fileId;
    const id = await make('relative', 'file');
    await make('absolute', '<__onedata_space_id:sp1>/sym/file');
    await make('dangling', '/mnt/nowhere');
    expect(
      (await given.op('GET', `data/${id}?attributes=type&attributes=size&attributes=symlinkValue`)).json,
    ).toEqual({
      type: 'SYMLNK',
      size: 4,
      symlinkValue: 'file',
    });
    expect((await given.op('GET', 'data/sp1/path/sym/relative')).text).toBe('through');
    expect((await given.op('GET', 'data/sp1/path/sym/absolute')).text).toBe('through');
    expect(errorOf(await given.op('GET', 'data/sp1/path/sym/dangling'))).toBe('400 enoent');
    expect((await given.op('GET', 'data/sp1/path/sym/dangling?follow_symlinks=false')).text).toBe(
      '/mnt/nowhere',
    );
    expect((await given.op('GET', `data/${id}/symlink_value`)).text).toBe('file');
  });
});

describe('delete', () => {
  test('a directory goes at once with all that is in it, and its room comes back', async () => {
    const inner = await given.put('gone/a/b/file', 'x'.repeat(1000), 'sp2');
    const { fileId } = (await given.op('POST', 'lookup-file-id/other/gone')).json;
    expect(given.emulator.context.spaces.usedBytes('sp2')).toBe(1000);
    expect((await given.op('DELETE', `data/${fileId}`)).status).toBe(204);
    expect(errorOf(await given.op('GET', `data/${inner}`))).toBe('400 enoent');
    expect((await given.op('GET', 'data/sp2/children')).json.children).toEqual([]);
    await given.emulator.context.spaces.startPurge();
    expect(given.emulator.context.spaces.usedBytes('sp2')).toBe(0);
  });

  test('the root and the trash stay, what is absent is enoent', async () => {
    const { trashDirId } = (await given.op('GET', 'spaces/sp1')).json;
    expect(errorOf(await given.op('DELETE', 'data/sp1'))).toBe('400 eperm');
    expect(errorOf(await given.op('DELETE', `data/${trashDirId}`))).toBe('400 eperm');
    expect(errorOf(await given.op('DELETE', 'data/sp1/path/absent'))).toBe('400 enoent');
    await given.put('by/path', 'x');
    expect((await given.op('DELETE', 'data/sp1/path/by/path')).status).toBe(204);
  });
});

describe('move by CDMI', () => {
  test('a file keeps its id and replaces what is there', async () => {
    const id = await given.put('from/old%20name', 'moved');
    await given.put('to/new%20name', 'replaced');
    expect((await given.move('lab@sp1/to/fresh', 'lab@sp1/from/old name')).status).toBe(201);
    expect((await given.move('lab@sp1/to/new%20name', `/cdmi_objectid/${id}`)).status).toBe(204);
    expect((await given.op('GET', 'data/sp1/path/to/new%20name')).text).toBe('moved');
    expect((await given.op('GET', `data/${id}?attributes=path`)).json.path).toBe('/lab/to/new name');
  });

  test('what is below a directory moves with it, also to the trash', async () => {
    const id = await given.put('above/between/below', 'x');
    const path = async () => (await given.op('GET', `data/${id}?attributes=path`)).json.path;
    expect(await path()).toBe('/lab/above/between/below');
    expect((await given.move('lab@sp1/beside/', 'lab@sp1/above/between', 'container')).status).toBe(201);
    expect(await path()).toBe('/lab/beside/below');
    const { json } = await given.op('POST', 'lookup-file-id/lab/beside');
    expect((await given.op('DELETE', `data/${json.fileId}`)).status).toBe(204);
    expect(errorOf(await given.op('GET', `data/${id}`))).toBe('400 enoent');
  });

  test('a directory moves with a slash and its own content type', async () => {
    const id = await given.put('tree/inner/file', 'x');
    const moved = await given.move('lab@sp1/grown/', 'lab@sp1/tree', 'container');
    expect(moved.status).toBe(201);
    expect((await given.op('GET', `data/${id}?attributes=path`)).json.path).toBe('/lab/grown/inner/file');
    expect((await given.move('lab@sp1/again', 'lab@sp1/grown', 'container')).status).toBe(302);
    expect((await given.move('lab@sp1/again/', 'lab@sp1/file', 'object')).status).toBe(302);
  });

  test('what cannot be', async () => {
    await given.put('cannot/file', 'x');
    await given.put('cannot/dir/inner', 'x');
    await given.put('other-dir/inner', 'x');
    const cases: [string, string, 'object' | 'container', string][] = [
      ['lab@sp1/x', 'lab@sp1/absent', 'object', '400 enoent'],
      ['lab@sp1/no/x', 'lab@sp1/cannot/file', 'object', '400 enoent'],
      ['lab@sp1/cannot/dir', 'lab@sp1/cannot/file', 'object', '400 eisdir'],
      ['lab@sp1/cannot/dir/in/', 'lab@sp1/cannot/dir', 'container', '400 einval'],
      ['lab@sp1/cannot/file/', 'lab@sp1/other-dir', 'container', '400 enotdir'],
      ['lab@sp1/cannot/dir/', 'lab@sp1/other-dir', 'container', '500 internalServerError'],
    ];
    for (const [to, from, kind, expected] of cases) {
      expect(`${from} → ${to}: ${errorOf(await given.move(to, from, kind))}`).toBe(
        `${from} → ${to}: ${expected}`,
      );
    }
    const headers = { 'content-type': 'application/cdmi-object' };
    const versionless = await given.host('PUT', 'cdmi/lab@sp1/x', {
      headers,
      body: '{"move":"lab@sp1/cannot/file"}',
    });
    expect(versionless.json.error).toMatchObject({ id: 'missingRequiredValue', details: { key: 'version' } });
  });

  test('between spaces it is copied and removed', async () => {
    const id = await given.put('cross', 'over');
    expect((await given.move('other@sp2/crossed', 'lab@sp1/cross')).status).toBe(201);
    expect((await given.op('GET', 'data/sp2/path/crossed')).text).toBe('over');
    expect(errorOf(await given.op('GET', `data/${id}`))).toBe('400 enoent');
  });
});

describe('metadata', () => {
  test('xattrs merge, can be read in a listing and be removed', async () => {
    await given.put('meta/file', 'x');
    const { fileId: id } = (await given.op('POST', 'lookup-file-id/lab/meta/file')).json;
    const xattrs = `data/${id}/metadata/xattrs`;
    await given.op('PUT', xattrs, { body: { a: '1', b: { c: 2 } } });
    expect((await given.op('PUT', xattrs, { body: { a: '3' } })).status).toBe(204);
    expect((await given.op('GET', xattrs)).json).toEqual({ a: '3', b: { c: 2 } });
    expect((await given.op('GET', `${xattrs}?attribute=a`)).json).toEqual({ a: '3' });
    expect((await given.op('GET', `data/${id}?attributes=xattr.a&attributes=xattr.z`)).json).toEqual({
      'xattr.a': '3',
      'xattr.z': null,
    });
    expect((await given.op('DELETE', xattrs, { body: { keys: ['a'] } })).status).toBe(204);
    expect(errorOf(await given.op('GET', `${xattrs}?attribute=a`))).toBe('400 enodata');
    expect(errorOf(await given.op('PUT', xattrs, { body: { cdmi_x: '1' } }))).toBe('400 eperm');
  });

  test('JSON and RDF', async () => {
    const id = await given.put('meta-json', 'x');
    const json = `data/${id}/metadata/json`;
    expect(errorOf(await given.op('GET', json))).toBe('400 enodata');
    expect((await given.op('PUT', json, { body: { a: { b: [7] } } })).status).toBe(204);
    expect((await given.op('GET', `${json}?filter_type=keypath&filter=a.b.%5B0%5D`)).json).toBe(7);
    expect(errorOf(await given.op('PUT', json, { body: '{' }))).toBe('400 badValueJSON');
    await given.op('DELETE', json);
    expect(errorOf(await given.op('GET', json))).toBe('400 enodata');
    const rdf = `data/${id}/metadata/rdf`;
    await given.op('PUT', rdf, { body: '<rdf/>', headers: { 'content-type': 'application/rdf+xml' } });
    expect((await given.op('GET', rdf)).text).toBe('<rdf/>');
  });
});
