/** The kinds of a site, each from its own file: the package's index loads every API group of Kubernetes. */
export { ValidatingAdmissionPolicy } from '@pulumi/kubernetes/admissionregistration/v1/validatingAdmissionPolicy.js';
export { ValidatingAdmissionPolicyBinding } from '@pulumi/kubernetes/admissionregistration/v1/validatingAdmissionPolicyBinding.js';
export { Deployment } from '@pulumi/kubernetes/apps/v1/deployment.js';
export { ConfigMap } from '@pulumi/kubernetes/core/v1/configMap.js';
export { Namespace } from '@pulumi/kubernetes/core/v1/namespace.js';
export { PersistentVolumeClaim } from '@pulumi/kubernetes/core/v1/persistentVolumeClaim.js';
export { Secret } from '@pulumi/kubernetes/core/v1/secret.js';
export { Service } from '@pulumi/kubernetes/core/v1/service.js';
export { ServiceAccount } from '@pulumi/kubernetes/core/v1/serviceAccount.js';
export { Ingress } from '@pulumi/kubernetes/networking/v1/ingress.js';
export { NetworkPolicy } from '@pulumi/kubernetes/networking/v1/networkPolicy.js';
export { ClusterRole } from '@pulumi/kubernetes/rbac/v1/clusterRole.js';
export { ClusterRoleBinding } from '@pulumi/kubernetes/rbac/v1/clusterRoleBinding.js';
