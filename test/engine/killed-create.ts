import { openFleetPlace } from '../helpers/fleet-place.ts';
import { CANARIES } from '../helpers/program.ts';

/** A process that is killed in the middle of a creation: `node killed-create.ts FOLDER KUBECONFIG NAME`. */

const [folder = '', kubeconfig = '', name = ''] = process.argv.slice(2);
const { fleet } = await openFleetPlace(folder, kubeconfig);
const settings = { sourceSpaceId: 'source-space', projectSpaceId: `project-${name}` };
for await (const event of fleet.create(name, { settings, secrets: CANARIES })) console.log(event.event);
