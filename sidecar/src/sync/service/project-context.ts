import type { RepairContext } from '../restore/repair.ts';
import type { StartContext } from '../restore/start.ts';

/** All that the operations of a session take together; each of them names what it takes. */
export type ProjectContext = StartContext & RepairContext;
