/**
 * The kinds of an instance, each from its own file: the package's index loads every API group of Kubernetes, 650 modules
 * that are a third of what loading the program costs.
 */
export { ValidatingAdmissionPolicy } from '@pulumi/kubernetes/admissionregistration/v1/validatingAdmissionPolicy.js';
export { ValidatingAdmissionPolicyBinding } from '@pulumi/kubernetes/admissionregistration/v1/validatingAdmissionPolicyBinding.js';
export { CustomResource } from '@pulumi/kubernetes/apiextensions/customResource.js';
export { StatefulSet } from '@pulumi/kubernetes/apps/v1/statefulSet.js';
export { ConfigMap } from '@pulumi/kubernetes/core/v1/configMap.js';
export { LimitRange } from '@pulumi/kubernetes/core/v1/limitRange.js';
export { Namespace } from '@pulumi/kubernetes/core/v1/namespace.js';
export { PersistentVolume } from '@pulumi/kubernetes/core/v1/persistentVolume.js';
export { PersistentVolumeClaim } from '@pulumi/kubernetes/core/v1/persistentVolumeClaim.js';
export { PodTemplate } from '@pulumi/kubernetes/core/v1/podTemplate.js';
export { ResourceQuota } from '@pulumi/kubernetes/core/v1/resourceQuota.js';
export { Secret } from '@pulumi/kubernetes/core/v1/secret.js';
export { Service } from '@pulumi/kubernetes/core/v1/service.js';
export { ServiceAccount } from '@pulumi/kubernetes/core/v1/serviceAccount.js';
export { Ingress } from '@pulumi/kubernetes/networking/v1/ingress.js';
export { NetworkPolicy } from '@pulumi/kubernetes/networking/v1/networkPolicy.js';
export { PodDisruptionBudget } from '@pulumi/kubernetes/policy/v1/podDisruptionBudget.js';
export { Role } from '@pulumi/kubernetes/rbac/v1/role.js';
export { RoleBinding } from '@pulumi/kubernetes/rbac/v1/roleBinding.js';
