export { checkToken, type TokenCheck, type TokenCheckOptions } from './check-token.ts';
export { type OnedataSpaceOptions, openOnedataSpace } from './onedata-space.ts';
export { fileToken } from './token-file.ts';
