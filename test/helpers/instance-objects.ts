/** The objects of one instance in recorded answers of an API server, as far as the fleet looks at them. */

const SELECTOR = 'labelSelector=app.kubernetes.io%2Fname%3Dscipion%2Capp.kubernetes.io%2Fcomponent%3Ddesktop';

/** @param name of the namespace */
export function showInstance(objects: Record<string, object>, name: string, isThere: boolean): void {
  const set = { metadata: { name: 'scipion', namespace: name }, spec: { replicas: 1 } };
  const pod = {
    metadata: { name: 'scipion-0', namespace: name, uid: 'one' },
    status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
  };
  // What a listing of the cluster finds, and what each object says.
  objects[`/apis/apps/v1/statefulsets?${SELECTOR}`] = { items: isThere ? [set] : [] };
  objects[`/api/v1/pods?${SELECTOR}`] = { items: isThere ? [pod] : [] };
  const own = {
    [`/apis/apps/v1/namespaces/${name}/statefulsets/scipion`]: set,
    [`/api/v1/namespaces/${name}/pods/scipion-0`]: pod,
  };
  for (const [path, object] of Object.entries(own)) {
    if (isThere) objects[path] = object;
    else delete objects[path];
  }
}
