export { type TokenFacts, tokenFacts } from '../../../contract/token-facts.ts';
export {
  checkToken,
  checkTokenOf,
  checkTokens,
  SwappedTokensError,
  type TokenCheck,
  type TokenCheckOptions,
  type TokenToCheck,
} from './check-token.ts';
export { type HostChoice, openDiscoveredSpace } from './discovered-space.ts';
export { type OnedataSpaceOptions, openOnedataSpace } from './onedata-space.ts';
export { ProviderChoice } from './provider-choice.ts';
export {
  type ChoiceOptions,
  chooseProvider,
  type DiscoveryOptions,
  findProviders,
  type SupportingProvider,
} from './providers.ts';
export { fileToken } from './token-file.ts';
