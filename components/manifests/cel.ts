/** Parts of expressions of admission policies. */

export const text = (value: string) => JSON.stringify(value);
export const list = (values: readonly string[]) => `[${values.map(text).join(', ')}]`;
export const joined = (...parts: string[]) => parts.map((part) => `(${part})`).join(' && ');
