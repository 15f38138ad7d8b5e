/** Labels of what a site has; none is a label by which an instance or its namespace is known. */

export const selectorLabels = {
  'app.kubernetes.io/name': 'scipion-console',
  'app.kubernetes.io/instance': 'site',
  'app.kubernetes.io/component': 'console',
};

export const labels = (component = 'console') => ({
  ...selectorLabels,
  'app.kubernetes.io/component': component,
  'app.kubernetes.io/part-of': 'scipion-site',
  'app.kubernetes.io/managed-by': 'pulumi',
});

export const metadata = (namespace: string, name: string, annotations: Record<string, string> = {}) => ({
  name,
  namespace,
  labels: labels(),
  ...(Object.keys(annotations).length > 0 ? { annotations } : {}),
});
