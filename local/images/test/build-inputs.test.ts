import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { SCIPION_VERSIONS } from '../../../stacks/versions.ts';
import { stepLine } from '../buildah.ts';
import { debianBase, parseSources, sourcesList } from '../debian-base.ts';
import { exports } from '../registry-secrets.ts';

const APT_OUTPUT = `http://mirror.example/debian/ bookworm main
http://mirror.example/debian/ bookworm contrib
http://mirror.example/debian/ bookworm-updates main
http://security.example/debian-security/ bookworm-security main
http://other.example/node/ nodistro main
`;

describe('Debian sources', () => {
  const sources = parseSources(APT_OUTPUT);

  test('are the main sections of the release and its updates', () => {
    expect(sources.map(({ suite }) => suite)).toEqual(['bookworm', 'bookworm-updates', 'bookworm-security']);
  });

  test('are written the way apt reads them', () => {
    expect(sourcesList(sources.slice(0, 1))).toBe('deb http://mirror.example/debian/ bookworm main\n');
  });

  test('name the base, so that another mirror makes another base', () => {
    const moved = parseSources(APT_OUTPUT.replaceAll('mirror.example', 'moved.example'));
    expect(debianBase(parseSources(APT_OUTPUT)).key).toBe(debianBase(sources).key);
    expect(debianBase(moved).key).not.toBe(debianBase(sources).key);
  });

  test('of another release are none', () => {
    expect(parseSources('http://mirror.example/debian/ trixie main\n')).toEqual([]);
  });
});

describe('frozen requirements', () => {
  test.each(Object.entries(SCIPION_VERSIONS))(
    'of Scipion %s hold the packages of stacks/versions.ts',
    async (version, packages) => {
      const path = join(import.meta.dirname, `../../../desktop/requirements-${version}.txt`);
      const lines = (await readFile(path, 'utf8'))
        .split('\n')
        .filter((line) => line && !line.startsWith('#'));
      expect(lines).toContain(`scipion-app==${packages.scipionApp}`);
      expect(lines).toContain(`scipion-pyworkflow==${packages.pyworkflow}`);
      expect(lines).toContain(`scipion-em==${packages.scipionEm}`);
      expect(lines.filter((line) => !/^[\w.-]+==[\w.]+$/.test(line))).toEqual([]);
    },
  );
});

describe('progress of a build', () => {
  test('is the number and the beginning of a step', () => {
    expect(stepLine('STEP 3/20: RUN  apt-get   update')).toBe('step 3 of 20: RUN apt-get update');
    expect(stepLine(`STEP 3/20: RUN ${'x'.repeat(200)}`)).toHaveLength('step 3 of 20: '.length + 70);
  });

  test('is nothing else', () => {
    expect(stepLine('Setting up python3 (3.11.2-1+b1) ...')).toBeUndefined();
  });
});

describe('settings of the package registry', () => {
  test('are only those that say how to reach it, quoted for a shell', () => {
    const environment = {
      PIP_INDEX_URL: "https://a'b@mirror.example/simple",
      PIP_FIND_LINKS: '/wheels',
      HOME: '/home',
    };
    expect(exports(environment)).toBe("export PIP_INDEX_URL='https://a'\\''b@mirror.example/simple'\n");
  });

  test('may be none', () => {
    expect(exports({})).toBe('');
  });
});
