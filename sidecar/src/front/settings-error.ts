/** Something that is needed at the start is missing or unusable. The message says which file, what was found, what is needed; never its content. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';
}
