import { largest } from './job-fields.ts';
import type { Rule } from './refusal.ts';
import type { Settings } from './schema.ts';
import { bytesQuantity, cpuQuantity, parseSizeBytes } from './units.ts';

/** What must hold between the keys of jobs and the others. */
export function jobRules(settings: Partial<Settings>): Rule[] {
  const { jobs = false, jobClasses = [], jobMemory, createNamespace = true } = settings;
  const names = jobClasses.map(({ name }) => name);
  const unique: Rule = {
    key: 'jobClasses',
    isBroken: new Set(names).size < names.length,
    allowed: 'classes each with a name of its own',
  };
  if (!jobs || jobClasses.length === 0) return [unique];
  const millis = largest(jobClasses, 'cpus') * 1000;
  const bytes = largest(jobClasses, 'memory');
  const lacks = (quota: number | undefined, own: number | undefined) =>
    createNamespace && quota !== undefined && own !== undefined && quota < own + millis;
  const room = (own: number | undefined) => cpuQuantity((own ?? 0) + millis);
  return [
    unique,
    {
      key: 'jobs',
      isBroken: !createNamespace,
      allowed:
        'false with createNamespace false: the policy that bounds the broker is an object of the cluster, and belongs to a namespace that the instance makes',
      better: 'false',
    },
    {
      key: 'volumeAccess',
      isBroken: settings.volumeAccess === 'ReadWriteOncePod',
      allowed: 'ReadWriteOnce with jobs: their pods mount the volumes beside the desktop',
      better: 'ReadWriteOnce',
    },
    {
      key: 'apiServerNetworks',
      isBroken: settings.networkIsolation !== false && settings.apiServerNetworks?.length === 0,
      allowed: 'with jobs the networks in which the API server is: the broker must reach it',
    },
    {
      key: 'quotaCpuGuaranteed',
      isBroken: lacks(settings.quotaCpuGuaranteed, settings.cpuGuaranteed),
      allowed: `with jobs at least ${room(settings.cpuGuaranteed)} CPUs: cpuGuaranteed and the largest class of jobClasses`,
      better: room(settings.cpuGuaranteed),
    },
    {
      key: 'quotaCpuLimit',
      isBroken: lacks(settings.quotaCpuLimit, settings.cpuLimit),
      allowed: `with jobs at least ${room(settings.cpuLimit)} CPUs: cpuLimit and the largest class of jobClasses`,
      better: room(settings.cpuLimit),
    },
    {
      key: 'jobMemory',
      isBroken: jobMemory !== undefined && (parseSizeBytes(jobMemory) ?? 0) < bytes,
      allowed: `at least ${bytesQuantity(bytes)}, which the largest class of jobClasses has`,
      better: bytesQuantity(bytes),
    },
  ];
}
