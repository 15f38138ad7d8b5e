import type { Language } from '../../../../sidecar/web/shared/languages.ts';
import { cs } from './cs.ts';
import { en, type Texts } from './en.ts';

export const TEXTS: Readonly<Record<Language, Texts>> = { en, cs };
