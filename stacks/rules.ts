import { Glob } from '../sidecar/contract/glob.ts';
import { claimOf } from './grammar.ts';
import { jobRules } from './job-rules.ts';
import { contains, isClosed, isPrivate, networkOf } from './networks.ts';
import type { Refusal, Rule } from './refusal.ts';
import type { Settings } from './schema.ts';
import { cpuQuantity } from './units.ts';

const cpus = (millis: number | undefined) => `${(millis ?? 0) / 1000} CPUs`;
const isLess = (a: number | undefined, b: number | undefined) => a !== undefined && b !== undefined && a < b;

/** Objects that the program makes; a Secret or claim of somebody else cannot have their names. */
const OWN_SECRETS = ['scipion-onedata', 'scipion-gateway', 'scipion-source-space', 'scipion-project-space'];
const OWN_CLAIMS = ['scipion-source', 'scipion-project', 'scipion-source-space', 'scipion-project-space'];

const MOUNTS = ['sourceMount', 'projectMount'] as const;
const NAMED_SECRETS = ['onedataSecret', 'sourceSecret', 'projectSecret'] as const;

/** Annotations by which cert-manager is asked for a certificate. */
const ISSUERS = ['cert-manager.io/cluster-issuer', 'cert-manager.io/issuer'];

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

const SIDES = ['source', 'project'] as const;
const isReadElsewhere = (settings: Some, side: (typeof SIDES)[number]) =>
  settings[`${side}Secret`] !== undefined || settings[`${side}Mount`] !== undefined;

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
    {
      key: 'onedataSecret',
      isBroken:
        settings.onedataSecret !== undefined && SIDES.every((side) => isReadElsewhere(settings, side)),
      useless: 'both sides have their token in a Secret of their own, or need none',
    },
    ...([...NAMED_SECRETS, 'tlsSecretName', 'imagePullSecret'] as const).map((key) => ({
      key,
      isBroken: OWN_SECRETS.includes(settings[key] ?? ''),
      allowed: 'a Secret of your own: the program makes one of this name itself',
    })),
  ];
}

function addressRules(settings: Some, given: ReadonlySet<string>): Rule[] {
  const { namespace, domain, gateway, ingressAnnotations = {} } = settings;
  const hasGateway = gateway !== undefined;
  const issuers = Object.keys(ingressAnnotations).filter((key) => ISSUERS.includes(key));
  const others = Object.fromEntries(
    Object.entries(ingressAnnotations).filter(([key]) => !ISSUERS.includes(key)),
  );
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
    {
      key: 'tlsSecretName',
      isBroken: hasGateway && given.has('tlsSecretName'),
      useless: 'with gateway the listener of the Gateway has the certificate',
    },
    {
      key: 'ingressAnnotations',
      isBroken: settings.tlsIssuer !== undefined && issuers.length > 0,
      allowed: `annotations without ${issuers.join(' and ')}: tlsIssuer names the issuer`,
      better: JSON.stringify(others),
    },
  ];
}

/** Whether a stack says something that could have an effect: an empty list takes nothing and gives nothing. */
const isSaid = (settings: Some, given: ReadonlySet<string>, key: keyof Settings) => {
  const value = settings[key];
  return given.has(key) && value !== undefined && !(Array.isArray(value) && value.length === 0);
};

/** Only with NetworkPolicies they are read. */
const OF_POLICIES = [
  'ingressNamespaces',
  'metricsNamespaces',
  'onedataNetworks',
  'onedataPorts',
  'dnsNamespaces',
  'signInNetworks',
] as const;

/** A host that is given by its address must be where the policies let the pod go. */
function hostRules(
  hostKey: 'onedataHost' | 'signInIssuer',
  networksKey: 'onedataNetworks' | 'signInNetworks',
  host: string | undefined,
  networks: readonly string[] | undefined,
): Rule[] {
  const own = host === undefined ? undefined : networkOf(host);
  if (own === undefined || networks === undefined) return [];
  const isReached = networks.length === 0 ? !isPrivate(own) : networks.some((each) => contains(each, own));
  return [
    {
      key: hostKey,
      isBroken: isClosed(own),
      allowed: 'a host at another address: this one is closed always (metadata of clouds)',
    },
    {
      key: networksKey,
      isBroken: !isClosed(own) && !isReached,
      allowed: `networks with ${own} among them, where ${hostKey} is; ${networks.length === 0 ? 'without any the private ranges are closed' : 'these close it'}`,
      better: JSON.stringify([...networks, own]),
    },
  ];
}

function networkRules(settings: Some, given: ReadonlySet<string>): Rule[] {
  const { networkIsolation = true, onedataHost, onedataNetworks, signInIssuer, signInNetworks } = settings;
  if (!networkIsolation)
    return OF_POLICIES.map((key) => ({
      key,
      isBroken: isSaid(settings, given, key),
      useless: 'with networkIsolation false nothing is closed',
    }));
  const issuer = signInIssuer === undefined ? undefined : new URL(signInIssuer).host;
  return [
    ...hostRules('onedataHost', 'onedataNetworks', onedataHost, onedataNetworks),
    ...hostRules('signInIssuer', 'signInNetworks', issuer, signInNetworks),
  ];
}

/** Read only where users sign in elsewhere. */
const OF_SIGN_IN = [
  'signInUsers',
  'signInGroups',
  'signInClientId',
  'signInScopes',
  'signInUserClaim',
  'signInGroupClaim',
  'signInNetworks',
  'signInCertificateAuthorities',
] as const;

function signInRules(settings: Some, given: ReadonlySet<string>): Rule[] {
  const { signInIssuer, networkIsolation = true } = settings;
  const hasSignIn = signInIssuer !== undefined;
  return [
    {
      key: 'signInClientId',
      isBroken: hasSignIn && settings.signInClientId === undefined,
      allowed: 'the id by which signInIssuer knows the instance',
    },
    {
      key: 'signInUsers',
      // One that cannot be read is told as that.
      isBroken: hasSignIn && settings.signInUsers?.length === 0 && settings.signInGroups?.length === 0,
      allowed:
        'users, here or by signInGroups: else everybody whom signInIssuer knows could open the desktop',
    },
    ...OF_SIGN_IN.map((key) => ({
      key,
      // What the policies do not read either is told once.
      isBroken:
        !given.has('signInIssuer') &&
        isSaid(settings, given, key) &&
        (networkIsolation || key !== 'signInNetworks'),
      useless: 'without signInIssuer there is no sign-in elsewhere',
    })),
    {
      key: 'passwordLogin',
      isBroken: settings.passwordLogin === false && !hasSignIn,
      allowed: 'true: without signInIssuer no one could log in at the page',
    },
  ];
}

/** Mounted by the instance itself; a claim of somebody else cannot have their names. */
function volumeRules({ extraVolumes = [], sourceMount }: Some): Rule[] {
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
      isBroken: extraVolumes.some(({ claim, writable }) => writable && claim === claimOf(sourceMount)),
      allowed: 'the claim of sourceMount read-only: work must not go among the raw data',
      better: JSON.stringify(
        extraVolumes.map((volume) =>
          volume.claim === claimOf(sourceMount) ? { ...volume, writable: false } : volume,
        ),
      ),
    },
    {
      key: 'extraVolumes',
      isBroken: extraVolumes.some(({ claim }) => OWN_CLAIMS.includes(claim ?? '')),
      allowed: 'claims of your own: the program makes one of this name itself',
    },
  ];
}

/** The rules between keys that are broken, as far as the keys concerned were readable by themselves. */
export function brokenRules(settings: Partial<Settings>, given: ReadonlySet<string>): readonly Refusal[] {
  const rules = [
    ...cpuRules(settings),
    ...spaceRules(settings),
    ...addressRules(settings, given),
    ...networkRules(settings, given),
    ...signInRules(settings, given),
    ...volumeRules(settings),
    ...jobRules(settings),
  ];
  return rules.filter((rule) => rule.isBroken);
}
