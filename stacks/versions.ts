/** A Scipion release that an instance can run, and the packages that make it. */
export interface ScipionVersion {
  /** Tag of the desktop image. */
  readonly imageTag: string;
  readonly scipionApp: string;
  readonly pyworkflow: string;
  readonly scipionEm: string;
}

/** Application version → image. The first entry is the default. */
export const SCIPION_VERSIONS: Readonly<Record<string, ScipionVersion>> = {
  '3.8.3': { imageTag: '3.8.3', scipionApp: '3.8.3', pyworkflow: '3.11.7', scipionEm: '3.11.1' },
  '3.7.1': { imageTag: '3.7.1', scipionApp: '3.7.1', pyworkflow: '3.10.6', scipionEm: '3.10.1' },
};

/** Tag of the sidecar image; follows the version of this repository. */
export const SIDECAR_IMAGE_TAG = '0.1.0';

/** Versions a stack may name, newest first. */
export const knownVersions = (): readonly string[] => Object.keys(SCIPION_VERSIONS);

export const DEFAULT_VERSION: string = knownVersions()[0] ?? '';
