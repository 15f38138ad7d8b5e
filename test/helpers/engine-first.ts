import { ensureEngine } from '../../automation/engine/index.ts';

/** Set-up of each file that starts Pulumi: where it is still being built, it is waited for before the time of a hook or test counts. */
await ensureEngine(() => {});
