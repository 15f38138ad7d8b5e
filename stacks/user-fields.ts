import * as z from 'zod';
import {
  cpuMillis,
  durationSeconds,
  field,
  json,
  pattern,
  size,
  text,
  wholeNumber,
  yesOrNo,
} from './fields.ts';
import { DNS_LABEL, GLOB_SHAPE, isGlob, isHost, OBJECT_NAME, SPACE_ID, SPACE_MOUNT } from './grammar.ts';
import { describeDuration } from './units.ts';
import { DEFAULT_VERSION, knownVersions } from './versions.ts';

/** What a user's stack says. */

/** Of each list: it all goes into one ConfigMap, which takes 1 MiB. */
const MAX_PATTERNS = 200;
const GIBIBYTE = 2 ** 30;
const TEBIBYTE = 2 ** 40;
const HOUR = 3600;

/** Above these an instance does not fit in the usual quota of 12 guaranteed and 16 limit CPUs beside its helpers. */
export const MAX_CPU_MILLIS = { guaranteed: 10_000, limit: 14_000 } as const;

const globs = z.array(z.string().max(1024).regex(GLOB_SHAPE).refine(isGlob)).max(MAX_PATTERNS);

/** A label that is not of Kubernetes itself. */
const NAMESPACE = new RegExp(`^(?!default$|kube-)${DNS_LABEL.source.slice(1)}`);

export const userFields = {
  namespace: field(pattern(NAMESPACE, 63), {
    description: 'Namespace of the instance; no other instance may be in it. Fixed once the instance exists.',
    allowed: 'up to 63 of a-z, 0-9 and "-", not at the ends; not "default", not "kube-…"',
    example: 'jane-doe',
    group: 'user',
    defaultNote: "the stack's name",
  }),
  version: field(z.enum([...knownVersions()]).default(DEFAULT_VERSION), {
    description: 'Scipion release.',
    allowed: `one of ${knownVersions().join(', ')}`,
    example: DEFAULT_VERSION,
    group: 'user',
  }),
  onedataHost: field(text(isHost, '^\\s*[-a-z0-9.]+(:[1-9][0-9]{0,4})?\\s*$', 260).optional(), {
    description:
      'Host name of the Oneprovider that supports both spaces. Without it each token leads to its zone, and the zone to a provider of its space, which is kept; where several could be written, name the one that holds the work. csi-onedata needs it.',
    allowed: 'a host name without scheme and path, with ":port" only where it is not 443',
    example: 'provider.example.org',
    group: 'user',
    defaultNote: 'found from each token',
  }),
  sourceSpaceId: field(pattern(SPACE_ID), {
    description: 'Id of the space with the raw data. It is copied at the start and never written.',
    allowed: 'the id of a space (up to 59 letters, digits, "-", "_"), not its name and not a token',
    example: 'ID-OF-THE-SOURCE-SPACE',
    group: 'user',
  }),
  projectSpaceId: field(pattern(SPACE_ID), {
    description:
      'Id of the space that keeps the work: restored at the start, saved on an interval and at the end.',
    allowed: 'the id of a space (up to 59 letters, digits, "-", "_"), not its name and not a token',
    example: 'ID-OF-THE-PROJECT-SPACE',
    group: 'user',
  }),
  onedataSecret: field(pattern(OBJECT_NAME).optional(), {
    description:
      'Name of a Secret in the namespace with the keys `source-token` and `project-token`, in place of the two tokens here, which then never enter Pulumi. For an existing namespace.',
    allowed: 'the name of a Secret',
    example: 'my-onedata-tokens',
    group: 'user',
  }),
  sourceSecret: field(pattern(OBJECT_NAME).optional(), {
    description:
      'Name of a Secret in the namespace in the form of csi-onedata, whose key `onedata_token` holds the token of the source space, in place of sourceToken. Its `host` and `space_id` are for the driver; the two settings above count here. For an existing namespace.',
    allowed: 'the name of a Secret',
    example: 'secret-onedata-source',
    group: 'user',
  }),
  projectSecret: field(pattern(OBJECT_NAME).optional(), {
    description: 'The same for the project space, in place of projectToken.',
    allowed: 'the name of a Secret',
    example: 'secret-onedata-project',
    group: 'user',
  }),
  sourceMount: field(pattern(SPACE_MOUNT).optional(), {
    description:
      'The source space is read from a volume in place of REST: `claim/NAME`, an existing claim that shows the whole space (needs no token here), or `csi-onedata`, for which volume, claim and Secret are made.',
    allowed: 'csi-onedata, or "claim/" and the name of a PersistentVolumeClaim',
    example: 'csi-onedata',
    group: 'user',
    defaultNote: 'REST',
  }),
  projectMount: field(pattern(SPACE_MOUNT).optional(), {
    description: 'The same for the project space, which is then also written there.',
    allowed: 'csi-onedata, or "claim/" and the name of a PersistentVolumeClaim',
    example: 'csi-onedata',
    group: 'user',
    defaultNote: 'REST',
  }),
  sourceInclude: field(json(globs).default([]), {
    description:
      'Glob patterns, from the root of the source space, of what is copied; a directory stands for all that is in it. None: everything.',
    allowed:
      'a list of patterns with *, **, ?, [a-z], [^a-z], {a,b}, brackets closed, without ".." and "!" at the start; round brackets are as they are',
    example: '["raw/**/*.mrc"]',
    group: 'user',
  }),
  sourceExclude: field(json(globs).default([]), {
    description: 'Glob patterns of what is not copied from the source space, although it is included.',
    allowed:
      'a list of patterns with *, **, ?, [a-z], [^a-z], {a,b}, brackets closed, without ".." and "!" at the start; round brackets are as they are',
    example: '["**/thumbnails"]',
    group: 'user',
  }),
  cpuGuaranteed: field(cpuMillis(200, MAX_CPU_MILLIS.guaranteed).default(2000), {
    description: 'CPUs that are always there for the instance, its helpers included.',
    allowed: 'a number of CPUs from 0.2 to 10',
    example: '4',
    group: 'user',
    defaultNote: '2 CPUs',
  }),
  cpuLimit: field(cpuMillis(500, MAX_CPU_MILLIS.limit).default(4000), {
    description: 'CPUs that the instance may use where others leave them.',
    allowed: 'a number of CPUs from 0.5 to 14, not below cpuGuaranteed',
    example: '8',
    group: 'user',
    defaultNote: '4 CPUs',
  }),
  memory: field(size(2 * GIBIBYTE, 2 * TEBIBYTE).default('8Gi'), {
    description: 'Memory of the instance, guaranteed and limit.',
    allowed: 'a size from 2Gi to 2Ti',
    example: '16Gi',
    group: 'user',
  }),
  sourceVolumeSize: field(size(GIBIBYTE, 1000 * TEBIBYTE).default('100Gi'), {
    description: 'Size of the volume that takes the copy of the source space. It can grow later, not shrink.',
    allowed: 'a size from 1Gi to 1000Ti',
    example: '500Gi',
    group: 'user',
    isCareful: true,
  }),
  projectVolumeSize: field(size(GIBIBYTE, 1000 * TEBIBYTE).default('50Gi'), {
    description: 'Size of the volume that holds the projects. It can grow later, not shrink.',
    allowed: 'a size from 1Gi to 1000Ti',
    example: '100Gi',
    group: 'user',
    isCareful: true,
  }),
  autosaveInterval: field(durationSeconds(10, 24 * HOUR).default(300), {
    description: 'Time between two saves of the project to its space.',
    allowed: 'a duration from 10 seconds to 1 day',
    example: '10 minutes',
    group: 'user',
    defaultNote: describeDuration(300),
  }),
  keepLastSaves: field(wholeNumber(0, 1_000).optional(), {
    description:
      'Newest saves of the project that can be brought back, as long as they are not older than the longest of the three below.',
    allowed: 'a whole number from 0 to 1000',
    example: '20',
    group: 'user',
    isCareful: true,
    defaultNote: '10',
  }),
  keepHourlySaves: field(wholeNumber(0, 10_000).optional(), {
    description: 'Hours for which the last save of each hour can be brought back.',
    allowed: 'a whole number from 0 to 10000',
    example: '48',
    group: 'user',
    isCareful: true,
    defaultNote: '24',
  }),
  keepDailySaves: field(wholeNumber(0, 10_000).optional(), {
    description: 'Days for which the last save of each day can be brought back.',
    allowed: 'a whole number from 0 to 10000',
    example: '30',
    group: 'user',
    isCareful: true,
    defaultNote: '14',
  }),
  keepWeeklySaves: field(wholeNumber(0, 1_000).optional(), {
    description: 'Weeks for which the last save of each week can be brought back.',
    allowed: 'a whole number from 0 to 1000',
    example: '8',
    group: 'user',
    isCareful: true,
    defaultNote: '0',
  }),
  keepSavesSize: field(size(1_000_000, 1e15).optional(), {
    description:
      'Room in the project space that older versions of files may take; above it the oldest saves are given up first.',
    allowed: 'a size from 1M to 1000T',
    example: '500Gi',
    group: 'user',
    isCareful: true,
    defaultNote: 'no limit',
  }),
  downloadBandwidth: field(size(1_000_000, 1e12).optional(), {
    description: 'Most bytes a second that are copied from both spaces together.',
    allowed: 'a size from 1M to 1T, for each second',
    example: '50Mi',
    group: 'user',
    defaultNote: 'as many as the line gives',
  }),
  uploadBandwidth: field(size(1_000_000, 1e12).optional(), {
    description: 'Most bytes a second that saves send to the project space.',
    allowed: 'a size from 1M to 1T, for each second',
    example: '20Mi',
    group: 'user',
    defaultNote: 'as many as the line gives',
  }),
  spaceCheckDays: field(wholeNumber(0, 365).optional(), {
    description:
      'Days between two checks of the whole project space against what was saved, file by file; 0: only when `sync verify` asks for one.',
    allowed: 'a whole number from 0 to 365',
    example: '30',
    group: 'user',
    defaultNote: '7',
  }),
  spaceCheckBandwidth: field(size(1_000_000, 1e12).optional(), {
    description: 'Most bytes a second that such a check reads.',
    allowed: 'a size from 1M to 1T, for each second',
    example: '20Mi',
    group: 'user',
    defaultNote: '4Mi',
  }),
  syncPriority: field(z.enum(['low', 'normal']).default('low'), {
    description:
      "Priority (nice) of the process that copies and saves, at the processor and the disk, where its node compares processes of different containers. Its container's guaranteed share of the CPUs stays, so a save always continues.",
    allowed: 'low or normal',
    example: 'normal',
    group: 'user',
  }),
  finalSaveGrace: field(durationSeconds(60, 24 * HOUR).default(HOUR), {
    description:
      'Longest time that a pod that is told to stop may take for the final save. A removal saves before that and is not bound by it.',
    allowed: 'a duration from 60 seconds to 1 day',
    example: '2 hours',
    group: 'user',
    defaultNote: describeDuration(HOUR),
  }),
  paused: field(yesOrNo().default(false), {
    description: 'Stops the pod after a save and keeps both volumes; set to false to continue.',
    allowed: 'true or false',
    example: 'true',
    group: 'user',
    isCareful: true,
  }),
  discardUnsavedChanges: field(yesOrNo().default(false), {
    description: 'Removes the instance although its last work is not saved. That work is lost.',
    allowed: 'true or false',
    example: 'true',
    group: 'user',
    isCareful: true,
  }),
};
