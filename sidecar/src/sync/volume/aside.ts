/** In names of what was put aside: it keeps what it has, for whoever wants to know what happened. */
const MARK = '.damaged-';

/** Where a damaged or misplaced file of the engine goes. @param nowMs by which it is told from earlier ones */
export const asideOf = (path: string, nowMs: number) => `${path}${MARK}${nowMs}`;

export const isAside = (name: string) => name.includes(MARK);
