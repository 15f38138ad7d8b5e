import { guardIdentity } from './components/identity.ts';
import { registerRemovalOnly } from './components/removal-only.ts';
import { type InstanceOutputs, ScipionInstance } from './components/scipion-instance.ts';
import { loadConfig } from './stacks/load.ts';

const config = loadConfig();

async function deploy(): Promise<Partial<InstanceOutputs>> {
  if (config.kind === 'instance') {
    await guardIdentity(config);
    return new ScipionInstance('scipion', config).outputs;
  }
  registerRemovalOnly(config);
  return {};
}

/** The outputs of the stack. */
export default await deploy();
