/** Objects of Kubernetes, as far as the broker reads them. */

interface Metadata {
  readonly name: string;
  readonly uid?: string;
  readonly creationTimestamp?: string;
  readonly deletionTimestamp?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly ownerReferences?: readonly OwnerReference[];
}

export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
}

export interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
  readonly lastTransitionTime?: string;
}

/** Where the output of a job goes, in the project. */
export interface JobFiles {
  readonly output: string | null;
  readonly errors: string | null;
}

export interface KubernetesJob {
  readonly metadata: Metadata;
  readonly spec?: { readonly template?: { readonly metadata?: Pick<Metadata, 'annotations'> } };
  /** Of its `spec`, where that is gone. */
  readonly files?: JobFiles;
  readonly status?: {
    readonly conditions?: readonly Condition[];
    readonly startTime?: string;
    readonly completionTime?: string;
  };
}

interface ContainerStatus {
  readonly state?: {
    readonly waiting?: { readonly reason?: string; readonly message?: string };
    readonly running?: { readonly startedAt?: string };
    readonly terminated?: {
      readonly exitCode: number;
      readonly reason?: string;
      readonly message?: string;
      readonly startedAt?: string;
      readonly finishedAt?: string;
    };
  };
}

export interface KubernetesPod {
  readonly metadata: Metadata;
  readonly spec?: { readonly nodeName?: string };
  readonly status?: {
    readonly phase?: string;
    readonly reason?: string;
    readonly message?: string;
    readonly conditions?: readonly Condition[];
    readonly containerStatuses?: readonly ContainerStatus[];
  };
}

/** A request may be long, and nothing of it but the files is needed any more. */
export const withoutSpec = (
  { metadata, status }: KubernetesJob,
  { output, errors }: JobFiles,
): KubernetesJob => {
  const { name, uid, creationTimestamp, labels, annotations } = metadata;
  return {
    metadata: { name, ...maybe({ uid, creationTimestamp, labels, annotations }) },
    ...(status === undefined ? {} : { status }),
    files: { output, errors },
  };
};

/** What is looked at of a pod. */
export const slim = ({ metadata, spec, status }: KubernetesPod): KubernetesPod => {
  const { name, deletionTimestamp } = metadata;
  return {
    metadata: { name, ...maybe({ deletionTimestamp }) },
    spec: maybe({ nodeName: spec?.nodeName }),
    status: maybe({
      phase: status?.phase,
      reason: status?.reason,
      message: status?.message,
      conditions: status?.conditions,
      containerStatuses: status?.containerStatuses,
    }),
  };
};

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };
function maybe<T extends object>(parts: T): Defined<T> {
  return Object.fromEntries(Object.entries(parts).filter(([, value]) => value !== undefined)) as Defined<T>;
}
