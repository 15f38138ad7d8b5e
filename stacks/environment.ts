/** Variables that the program reads from its environment. */

/** Set while a stack is removed: a configuration that is wrong must not keep an instance from being removed. */
export const REMOVING_VARIABLE = 'SCIPION_REMOVING';
