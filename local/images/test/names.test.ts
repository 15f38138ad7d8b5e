import { describe, expect, test } from 'vitest';
import { SCIPION_VERSIONS } from '../../../stacks/versions.ts';
import { builtImage, desktopReference, isDesktopInput, SIDECAR_REFERENCE } from '../names.ts';

describe('image names', () => {
  test.each(Object.keys(SCIPION_VERSIONS))('Scipion %s has a reference with its tag', (version) => {
    expect(desktopReference(version)).toBe(
      `localhost/scipion/desktop:${SCIPION_VERSIONS[version]?.imageTag}`,
    );
  });

  test('an unknown version is refused with the known ones', () => {
    expect(() => desktopReference('1.0')).toThrow(/Scipion 1\.0: expected one of 3\.8\.3, 3\.7\.1/);
  });

  test('an archive is named after the image, in a folder named by its key', () => {
    const { archive, key } = builtImage('localhost/scipion/desktop:3.8.3', 'input');
    expect(archive).toMatch(new RegExp(`/scipion-instances/images/${key}/desktop-3\\.8\\.3\\.tar$`));
  });
});

describe('image keys', () => {
  const { key } = builtImage(SIDECAR_REFERENCE, 'base', 'content');

  test('stay with the same inputs', () => {
    expect(builtImage(SIDECAR_REFERENCE, 'base', 'content').key).toBe(key);
  });

  test.each([
    ['another input', SIDECAR_REFERENCE, ['base', 'changed']],
    ['one input more', SIDECAR_REFERENCE, ['base', 'content', '']],
    ['inputs cut elsewhere', SIDECAR_REFERENCE, ['basec', 'ontent']],
    ['another name', 'localhost/scipion/onedata:0.1.0', ['base', 'content']],
  ])('differ with %s', (_what, reference, inputs) => {
    expect(builtImage(reference, ...inputs).key).not.toBe(key);
  });
});

describe('inputs of a desktop image', () => {
  const isInput = isDesktopInput('3.8.3');

  test.each(['Containerfile', 'bin/desktop-session', 'requirements-3.8.3.txt'])('%s is one', (path) => {
    expect(isInput(path)).toBe(true);
  });

  test.each(['requirements-3.7.1.txt', 'lib/__pycache__', 'lib/__pycache__/paths.cpython-311.pyc'])(
    '%s is none',
    (path) => {
      expect(isInput(path)).toBe(false);
    },
  );
});
