export {
  checkToken,
  checkTokenOf,
  checkTokens,
  SwappedTokensError,
  type TokenCheck,
  type TokenCheckOptions,
  type TokenToCheck,
} from './check-token.ts';
export { type OnedataSpaceOptions, openOnedataSpace } from './onedata-space.ts';
export {
  type ChoiceOptions,
  chooseProvider,
  type DiscoveryOptions,
  findProviders,
  openDiscoveredSpace,
  type SupportingProvider,
} from './providers.ts';
export { type TokenFacts, tokenFacts } from './token-facts.ts';
export { fileToken } from './token-file.ts';
