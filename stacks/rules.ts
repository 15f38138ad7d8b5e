import type { Settings } from './schema.ts';

/** A rule between keys that does not hold, under the key that is easiest to change. */
export interface Refusal {
  readonly key: keyof Settings;
  readonly allowed: string;
}

interface Rule extends Refusal {
  readonly isBroken: boolean;
}

const cpus = (millis: number | undefined) => String((millis ?? 0) / 1000);
const isLess = (a: number | undefined, b: number | undefined) => a !== undefined && b !== undefined && a < b;

/** The rules between keys that are broken, as far as the keys concerned were readable by themselves. */
export function brokenRules(settings: Partial<Settings>): readonly Refusal[] {
  const { cpuGuaranteed, cpuLimit, quotaCpuGuaranteed, quotaCpuLimit, createNamespace = true } = settings;
  const { sourceSpaceId, projectSpaceId } = settings;
  const rules: readonly Rule[] = [
    {
      key: 'cpuLimit',
      isBroken: isLess(cpuLimit, cpuGuaranteed),
      allowed: `at least cpuGuaranteed, which is ${cpus(cpuGuaranteed)}`,
    },
    {
      key: 'cpuGuaranteed',
      isBroken: createNamespace && isLess(quotaCpuGuaranteed, cpuGuaranteed),
      allowed: `at most quotaCpuGuaranteed, which is ${cpus(quotaCpuGuaranteed)}`,
    },
    {
      key: 'cpuLimit',
      isBroken: createNamespace && isLess(quotaCpuLimit, cpuLimit),
      allowed: `at most quotaCpuLimit, which is ${cpus(quotaCpuLimit)}`,
    },
    {
      key: 'projectSpaceId',
      isBroken: sourceSpaceId !== undefined && sourceSpaceId === projectSpaceId,
      allowed: 'another space than sourceSpaceId: work must not go among the raw data',
    },
    {
      key: 'onedataHost',
      isBroken:
        settings.onedataHost === undefined &&
        [settings.sourceMount, settings.projectMount].includes('csi-onedata'),
      allowed: 'the host name of a Oneprovider: csi-onedata finds none by itself',
    },
    ...(['onedataSecret', 'sourceSecret', 'projectSecret'] as const).map((key) => ({
      key,
      isBroken: createNamespace && settings[key] !== undefined,
      allowed: 'only with createNamespace false: a new namespace has no Secret yet',
    })),
    ...(['sourceMount', 'projectMount'] as const).map((key) => ({
      key,
      isBroken: createNamespace && settings[key]?.startsWith('claim/') === true,
      allowed: 'csi-onedata, or a claim with createNamespace false: a new namespace has no claim yet',
    })),
  ];
  return rules.filter((rule) => rule.isBroken);
}
