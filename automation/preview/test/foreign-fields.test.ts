import { expect, test } from 'vitest';
import { foreignFields, objectsOf } from '../foreign-fields.ts';

const PULUMI = { manager: 'pulumi-kubernetes-1a2b', operation: 'Apply' };

test('what others set beside or over Pulumi is named, and what Kubernetes does itself is not', () => {
  const managed = [
    {
      ...PULUMI,
      fieldsV1: {
        'f:metadata': { 'f:labels': { 'f:a': {} } },
        'f:spec': { 'f:policyTypes': {}, 'f:ports': { 'k:{"port":80}': { '.': {}, 'f:port': {} } } },
      },
    },
    {
      manager: 'kubectl-patch',
      fieldsV1: {
        'f:metadata': { 'f:annotations': { 'f:b': {} } },
        'f:spec': {
          'f:egress': {},
          'f:policyTypes': {},
          'f:ports': { 'k:{"port":80}': { 'f:targetPort': {} } },
        },
      },
    },
    { manager: 'kubectl', subresource: 'scale', fieldsV1: { 'f:spec': { 'f:replicas': {} } } },
    { manager: 'kubectl', subresource: 'status', fieldsV1: { 'f:spec': { 'f:x': {} } } },
    { manager: 'kubectl-edit', fieldsV1: { 'f:status': { 'f:phase': {} }, 'f:rules': {}, 'f:subjects': {} } },
    { manager: 'kube-controller-manager', fieldsV1: { 'f:spec': { 'f:volumeName': {} } } },
  ];
  expect(foreignFields(managed).map(({ manager, path }) => `${manager} ${path}`)).toEqual([
    'kubectl-patch spec.egress',
    'kubectl-patch spec.ports[{"port":80}].targetPort',
    'kubectl spec.replicas',
    'kubectl-edit rules',
    'kubectl-edit subjects',
  ]);
  expect(foreignFields([])).toEqual([]);
});

test('the objects of a stack are those of Kubernetes that its state has', () => {
  const step = (type: string, inputs: object) => ({
    op: 'same',
    urn: `urn:pulumi:s::p::scipion:instance:X$${type}::x`,
    oldState: { inputs: inputs as Record<string, unknown> },
  });
  const service = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'a', namespace: 'b' } };
  const steps = [
    step('kubernetes:core/v1:Service', service),
    step('kubernetes:core/v1:Namespace', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'b' } }),
    step('random:index/randomPassword:RandomPassword', { length: 24 }),
    { op: 'create', urn: 'urn:pulumi:s::p::kubernetes:core/v1:Secret::x' },
  ];
  expect(objectsOf({ steps })).toEqual([
    { apiVersion: 'v1', kind: 'Service', name: 'a', namespace: 'b' },
    { apiVersion: 'v1', kind: 'Namespace', name: 'b' },
  ]);
});
