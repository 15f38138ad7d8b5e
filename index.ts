import { registerRemovalOnly } from './components/removal-only.ts';
import { type InstanceOutputs, ScipionInstance } from './components/scipion-instance.ts';
import { loadConfig } from './stacks/load.ts';

const config = loadConfig();

function deploy(): Partial<InstanceOutputs> {
  if (config.kind === 'instance') return new ScipionInstance('scipion', config).outputs;
  registerRemovalOnly(config);
  return {};
}

/** The outputs of the stack. */
export default deploy();
