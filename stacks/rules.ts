import { Glob } from '../sidecar/contract/glob.ts';
import { claimOf } from './grammar.ts';
import type { Settings } from './schema.ts';
import { cpuQuantity } from './units.ts';

/** A rule between keys that does not hold, under the key that is easiest to change. */
export type Refusal =
  | {
      readonly key: keyof Settings;
      readonly allowed: string;
      /** A value that holds to it, where one can be named. */
      readonly better?: string;
    }
  /** The value has no effect beside another, or the opposite of what it says. */
  | { readonly key: keyof Settings; readonly useless: string };

type Rule = Refusal & { readonly isBroken: boolean };

const cpus = (millis: number | undefined) => `${(millis ?? 0) / 1000} CPUs`;
const isLess = (a: number | undefined, b: number | undefined) => a !== undefined && b !== undefined && a < b;

/** Objects that the program makes; a Secret or claim of somebody else cannot have their names. */
const OWN_SECRETS = ['scipion-onedata', 'scipion-gateway', 'scipion-source-space', 'scipion-project-space'];
const OWN_CLAIMS = ['scipion-source', 'scipion-project', 'scipion-source-space', 'scipion-project-space'];

const MOUNTS = ['sourceMount', 'projectMount'] as const;
const NAMED_SECRETS = ['onedataSecret', 'sourceSecret', 'projectSecret'] as const;

const isClaim = (mount: string | undefined) => claimOf(mount) !== undefined;

type Some = Partial<Settings>;

function cpuRules({
  cpuGuaranteed,
  cpuLimit,
  quotaCpuGuaranteed,
  quotaCpuLimit,
  createNamespace,
}: Some): Rule[] {
  const hasQuota = createNamespace ?? true;
  return [
    {
      key: 'cpuLimit',
      isBroken: isLess(cpuLimit, cpuGuaranteed),
      allowed: `at least cpuGuaranteed, which is ${cpus(cpuGuaranteed)}`,
      better: cpuQuantity(cpuGuaranteed ?? 0),
    },
    {
      key: 'cpuGuaranteed',
      isBroken: hasQuota && isLess(quotaCpuGuaranteed, cpuGuaranteed),
      allowed: `at most quotaCpuGuaranteed, which is ${cpus(quotaCpuGuaranteed)}`,
      better: cpuQuantity(quotaCpuGuaranteed ?? 0),
    },
    {
      key: 'cpuLimit',
      isBroken: hasQuota && isLess(quotaCpuLimit, cpuLimit),
      allowed: `at most quotaCpuLimit, which is ${cpus(quotaCpuLimit)}`,
      better: cpuQuantity(quotaCpuLimit ?? 0),
    },
    {
      key: 'quotaCpuLimit',
      isBroken: hasQuota && isLess(quotaCpuLimit, quotaCpuGuaranteed),
      allowed: `at least quotaCpuGuaranteed, which is ${cpus(quotaCpuGuaranteed)}`,
      better: cpuQuantity(quotaCpuGuaranteed ?? 0),
    },
  ];
}

function leavesNothing({ sourceInclude = [], sourceExclude = [] }: Some): boolean {
  const excluded = sourceExclude.flatMap((pattern) => Glob.parse(pattern) ?? []);
  if (excluded.some(({ isEverything }) => isEverything)) return true;
  const isOut = (base: string) => {
    const names = base.split('/');
    return names.some((_, index) => excluded.some((glob) => glob.matches(names, index + 1)));
  };
  return (
    sourceInclude.length > 0 &&
    sourceInclude.every(
      (pattern) => sourceExclude.includes(pattern) || Glob.parse(pattern)?.bases.every(isOut) === true,
    )
  );
}

function spaceRules(settings: Some): Rule[] {
  const { sourceSpaceId, projectSpaceId, sourceMount, projectMount, createNamespace = true } = settings;
  return [
    {
      key: 'projectSpaceId',
      isBroken: sourceSpaceId !== undefined && sourceSpaceId === projectSpaceId,
      allowed: 'another space than sourceSpaceId: work must not go among the raw data',
    },
    {
      key: 'projectMount',
      isBroken: isClaim(projectMount) && projectMount === sourceMount,
      allowed: 'another claim than sourceMount: work must not go among the raw data',
    },
    {
      key: 'onedataHost',
      isBroken: settings.onedataHost === undefined && [sourceMount, projectMount].includes('csi-onedata'),
      allowed: 'the host name of a Oneprovider: csi-onedata finds none by itself',
    },
    {
      key: 'sourceExclude',
      isBroken: leavesNothing(settings),
      allowed: 'patterns that leave something of what is included; these leave out everything',
    },
    ...NAMED_SECRETS.map((key) => ({
      key,
      isBroken: createNamespace && settings[key] !== undefined,
      allowed: 'only with createNamespace false: a new namespace has no Secret yet',
    })),
    ...MOUNTS.map((key) => ({
      key,
      isBroken: createNamespace && isClaim(settings[key]),
      allowed: 'csi-onedata, or a claim with createNamespace false: a new namespace has no claim yet',
    })),
    ...MOUNTS.map((key) => ({
      key,
      isBroken: OWN_CLAIMS.includes(claimOf(settings[key]) ?? ''),
      allowed: 'a claim that shows the space, not one that the instance makes for itself',
    })),
    ...(['sourceSecret', 'projectSecret'] as const).map((key) => ({
      key,
      isBroken: settings[key] !== undefined && isClaim(key === 'sourceSecret' ? sourceMount : projectMount),
      useless: 'a claim shows the space, and no token is read for it',
    })),
    ...([...NAMED_SECRETS, 'tlsSecretName', 'imagePullSecret'] as const).map((key) => ({
      key,
      isBroken: OWN_SECRETS.includes(settings[key] ?? ''),
      allowed: 'a Secret of your own: the program makes one of this name itself',
    })),
  ];
}

function addressRules(settings: Some): Rule[] {
  const { namespace, domain, gateway, ingressAnnotations = {}, networkIsolation = true } = settings;
  const hasGateway = gateway !== undefined;
  return [
    {
      key: 'domain',
      isBroken: `scipion.${namespace ?? ''}.${domain ?? ''}`.length > 253,
      allowed: 'a name so short that scipion.<namespace>.<domain> has at most 253 characters',
    },
    {
      key: 'tlsIssuer',
      isBroken: hasGateway && settings.tlsIssuer !== undefined,
      useless: 'with gateway the listener of the Gateway has the certificate, and nothing asks an issuer',
    },
    {
      key: 'ingressAnnotations',
      isBroken: hasGateway && Object.keys(ingressAnnotations).length > 0,
      useless: 'with gateway there is no Ingress that could carry annotations',
    },
    {
      key: 'waitForIngress',
      isBroken: hasGateway && settings.waitForIngress === true,
      useless: 'with gateway there is no Ingress to wait for',
    },
    ...(['ingressNamespaces', 'metricsNamespaces', 'onedataNetworks'] as const).map((key) => ({
      key,
      isBroken: !networkIsolation && (settings[key]?.length ?? 0) > 0,
      useless: 'with networkIsolation false nothing is closed',
    })),
  ];
}

function signInRules(settings: Some): Rule[] {
  const { signInIssuer, signInUsers = [], signInGroups = [], networkIsolation = true } = settings;
  const hasSignIn = signInIssuer !== undefined;
  return [
    {
      key: 'signInClientId',
      isBroken: hasSignIn && settings.signInClientId === undefined,
      allowed: 'the id by which signInIssuer knows the instance',
    },
    {
      key: 'signInUsers',
      isBroken: hasSignIn && signInUsers.length + signInGroups.length === 0,
      allowed:
        'users, here or by signInGroups: else everybody whom signInIssuer knows could open the desktop',
    },
    ...(['signInUsers', 'signInGroups', 'signInNetworks'] as const).map((key) => ({
      key,
      isBroken: !hasSignIn && (settings[key]?.length ?? 0) > 0,
      useless: 'without signInIssuer nobody signs in elsewhere',
    })),
    {
      key: 'signInNetworks',
      isBroken: hasSignIn && !networkIsolation && (settings.signInNetworks?.length ?? 0) > 0,
      useless: 'with networkIsolation false nothing is closed',
    },
    {
      key: 'passwordLogin',
      isBroken: settings.passwordLogin === false && !hasSignIn,
      allowed: 'true: without signInIssuer nobody could log in at the page',
    },
  ];
}

/** Mounted by the instance itself; a claim of somebody else cannot have their names. */
function volumeRules({ extraVolumes = [] }: Some): Rule[] {
  const distinct = (values: readonly string[]) => new Set(values).size === values.length;
  const names = extraVolumes.map(({ name }) => name);
  const paths = extraVolumes.map(({ mountPath }) => mountPath);
  return [
    {
      key: 'extraVolumes',
      isBroken: !distinct(names) || !distinct(paths),
      allowed: 'volumes each with a name and a mountPath of its own',
    },
    {
      key: 'extraVolumes',
      isBroken: extraVolumes.some(({ claim }) => OWN_CLAIMS.includes(claim ?? '')),
      allowed: 'claims of your own: the program makes one of this name itself',
    },
  ];
}

/** The rules between keys that are broken, as far as the keys concerned were readable by themselves. */
export function brokenRules(settings: Partial<Settings>): readonly Refusal[] {
  const rules = [
    ...cpuRules(settings),
    ...spaceRules(settings),
    ...addressRules(settings),
    ...signInRules(settings),
    ...volumeRules(settings),
  ];
  return rules.filter((rule) => rule.isBroken);
}
