import { join } from 'node:path';
import { cacheDirectory, cacheKey } from '../../automation/tools/cache.ts';
import { SCIPION_VERSIONS, SIDECAR_IMAGE_TAG } from '../../stacks/versions.ts';

export type DesktopKind = 'light' | 'xfce';

/** One image as the cluster needs it. */
export interface BuiltImage {
  /** Name in the container runtime, e.g. `localhost/scipion/desktop:3.8.3`. */
  readonly reference: string;
  /** OCI archive that carries `reference`, so that `ctr images import` needs no name. */
  readonly archive: string;
  /** Changes with everything that goes into the image. */
  readonly key: string;
}

/** Raised when the way of building changes and images built before must not be taken for new ones. */
const BUILDER = '1';

const REPOSITORY = 'localhost/scipion';

/** @throws Error when the version is none of `stacks/versions.ts`. */
export function desktopReference(version: string): string {
  const known = SCIPION_VERSIONS[version];
  if (known === undefined) {
    const names = Object.keys(SCIPION_VERSIONS).join(', ');
    throw new Error(
      `No desktop image for Scipion ${version}: expected one of ${names} (stacks/versions.ts).`,
    );
  }
  return `${REPOSITORY}/desktop:${known.imageTag}`;
}

export const SIDECAR_REFERENCE = `${REPOSITORY}/sidecar:${SIDECAR_IMAGE_TAG}`;
export const ONEDATA_REFERENCE = `${REPOSITORY}/onedata:${SIDECAR_IMAGE_TAG}`;

/** Whether a file of `desktop/` goes into the image of this version. */
export function isDesktopInput(version: string): (path: string) => boolean {
  return (path) => {
    if (path.split('/').includes('__pycache__')) return false;
    return !path.startsWith('requirements-') || path === `requirements-${version}.txt`;
  };
}

/** Names the image by all its inputs. `reference` is one: two images of one content may have two names. */
export function builtImage(reference: string, ...inputs: readonly string[]): BuiltImage {
  const key = cacheKey(BUILDER, process.arch, reference, ...inputs);
  const name = reference.slice(reference.lastIndexOf('/') + 1).replace(':', '-');
  return { reference, key, archive: join(cacheDirectory('images', key), `${name}.tar`) };
}
