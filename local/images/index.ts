import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { cacheDirectory } from '../../automation/tools/cache.ts';
import type { Report } from '../../automation/tools/progress.ts';
import { bundleEmulator } from '../../emulators/onedata/bundle.ts';
import { buildSidecar, copyNode, nodeVersion } from '../../sidecar/build.ts';
import { SCIPION_VERSIONS } from '../../stacks/versions.ts';
import { ensurePackages } from '../apt.ts';
import { Buildah, type BuildOptions, withSoundStore } from './buildah.ts';
import { type AptSource, debianBase, debianSources, makeDebianBase } from './debian-base.ts';
import {
  type BuiltImage,
  builtImage,
  type DesktopKind,
  desktopReference,
  isDesktopInput,
  ONEDATA_REFERENCE,
  SIDECAR_REFERENCE,
} from './names.ts';
import { registrySecrets } from './registry-secrets.ts';
import { treeKey } from './tree-key.ts';

export type { BuiltImage, DesktopKind } from './names.ts';
export { writeSampleData } from './sample-data.ts';

export interface ImageRequest {
  /** Scipion versions to make desktop images of; default: the first of `stacks/versions.ts`. */
  readonly versions?: readonly string[];
  readonly desktop?: DesktopKind;
  readonly sidecar: boolean;
  /** The Onedata emulator. */
  readonly onedata: boolean;
}

/** What one image is built from. */
interface Recipe {
  readonly image: BuiltImage;
  readonly options: Omit<BuildOptions, 'secrets'>;
}

const REPOSITORY_ROOT = dirname(dirname(import.meta.dirname));
const PACKAGES = ['buildah', 'debootstrap', 'debian-archive-keyring', 'gnupg'];
const KEEP_UNUSED_MS = 14 * 24 * 3600 * 1000;

/**
 * Makes the requested images that are not in the cache, and says where all of them are (in the order sidecar, onedata,
 * desktops). A second call with nothing changed builds nothing and takes about as long as the bundles, two seconds.
 *
 * @throws Error that says which step failed, what it printed, and what to do.
 */
export async function buildImages(request: ImageRequest, report: Report): Promise<BuiltImage[]> {
  const sources = await debianSources();
  const directory = cacheDirectory('images', 'work');
  await mkdir(directory, { recursive: true });
  const work = await mkdtemp(join(directory, 'build-'));
  try {
    const recipes = await collectRecipes(request, debianBase(sources).key, work, report);
    const missing = recipes.filter(({ image }) => !existsSync(image.archive));
    if (missing.length > 0) {
      await withSoundStore(() => buildMissing(missing, sources, work, report), report);
    }
    return recipes.map(({ image }) => image);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function collectRecipes(
  request: ImageRequest,
  baseKey: string,
  work: string,
  report: Report,
): Promise<Recipe[]> {
  const recipes: Recipe[] = [];
  if (request.sidecar || request.onedata) report('bundling the programs of the sidecar');
  if (request.sidecar) recipes.push(await sidecarRecipe(baseKey, join(work, 'sidecar')));
  if (request.onedata) recipes.push(await onedataRecipe(baseKey, join(work, 'onedata')));
  const versions = request.versions ?? Object.keys(SCIPION_VERSIONS).slice(0, 1);
  for (const version of versions)
    recipes.push(await desktopRecipe(baseKey, version, request.desktop ?? 'light'));
  return recipes;
}

async function desktopRecipe(baseKey: string, version: string, desktop: DesktopKind): Promise<Recipe> {
  const reference = desktopReference(version);
  const context = join(REPOSITORY_ROOT, 'desktop');
  const content = await treeKey(context, isDesktopInput(version));
  return {
    image: builtImage(reference, baseKey, content, version, desktop),
    options: {
      containerfile: join(context, 'Containerfile'),
      context,
      buildArguments: { SCIPION_VERSION: version, DESKTOP: desktop },
      title: `desktop ${version}`,
    },
  };
}

async function sidecarRecipe(baseKey: string, context: string): Promise<Recipe> {
  await buildSidecar(context);
  return nodeRecipe(
    SIDECAR_REFERENCE,
    baseKey,
    context,
    join(REPOSITORY_ROOT, 'sidecar/Containerfile'),
    'sidecar',
  );
}

async function onedataRecipe(baseKey: string, context: string): Promise<Recipe> {
  await mkdir(context, { recursive: true });
  await bundleEmulator(join(context, 'server.cjs'));
  await copyNode(join(context, 'node'));
  const containerfile = join(REPOSITORY_ROOT, 'emulators/onedata/Containerfile');
  return nodeRecipe(ONEDATA_REFERENCE, baseKey, context, containerfile, 'onedata');
}

async function nodeRecipe(
  reference: string,
  baseKey: string,
  context: string,
  containerfile: string,
  title: string,
): Promise<Recipe> {
  // Node's version stands for its 120 MB.
  const content = await treeKey(context, (path) => path !== 'node');
  return {
    image: builtImage(reference, baseKey, content, await readFile(containerfile, 'utf8'), nodeVersion()),
    options: { containerfile, context, buildArguments: {}, title },
  };
}

async function buildMissing(
  recipes: readonly Recipe[],
  sources: readonly AptSource[],
  work: string,
  report: Report,
): Promise<void> {
  await ensurePackages(PACKAGES, report);
  const base = debianBase(sources);
  if (!existsSync(base.archive)) await makeDebianBase(sources, report);
  const buildah = await Buildah.open();
  const baseImage = `localhost/scipion/base:${base.key}`;
  if (!(await buildah.has(baseImage))) {
    report('base: importing the root file system');
    await buildah.importRoot(base.archive, baseImage);
  }
  const secrets = await registrySecrets(work);
  for (const { image, options } of recipes) {
    const buildArguments = { ...options.buildArguments, BASE: baseImage };
    await buildah.build(image.reference, { ...options, buildArguments, secrets }, report);
    report(`${options.title}: writing ${image.reference}`);
    await mkdir(dirname(image.archive), { recursive: true });
    await buildah.export(image.reference, image.archive);
    await removeUnused(image);
  }
  await buildah.prune();
}

/** Removes archives of the same image that were built some time ago and are not this one. */
async function removeUnused(image: BuiltImage): Promise<void> {
  const folders = dirname(dirname(image.archive));
  const name = image.archive.slice(dirname(image.archive).length + 1);
  for (const key of await readdir(folders)) {
    const other = join(folders, key, name);
    const written = await stat(other).catch(() => undefined);
    if (key !== image.key && written && Date.now() - written.mtimeMs > KEEP_UNUSED_MS) {
      await rm(join(folders, key), { recursive: true, force: true });
    }
  }
}
