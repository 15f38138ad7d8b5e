import { loadSite } from './load.ts';
import { ScipionSite } from './site.ts';

/** The outputs of the stack. */
export default new ScipionSite('site', loadSite()).outputs;
