import { confirm, input, password, select } from '@inquirer/prompts';

/** Questions at a terminal, one at a time. Tests answer them from a list. */
export interface Prompts {
  /** @param check gives the sentence to show, or true */
  text(message: string, preset: string | undefined, check: (text: string) => string | true): Promise<string>;
  secret(message: string, check: (text: string) => Promise<string | true>): Promise<string>;
  choose<T>(message: string, choices: readonly Choice<T>[], preset?: T): Promise<T>;
  agree(message: string, preset: boolean): Promise<boolean>;
}

export interface Choice<T> {
  readonly value: T;
  readonly name: string;
  readonly description?: string;
  /** Why it cannot be chosen. */
  readonly disabled?: string;
}

/** Nothing of the answers to commands goes where scripts read: questions are on standard error. */
const context = { output: process.stderr };

export const terminalPrompts: Prompts = {
  text: (message, preset, check) =>
    input({ message, ...(preset === undefined ? {} : { default: preset }), validate: check }, context),
  secret: (message, check) => password({ message, mask: '*', validate: check }, context),
  choose: (message, choices, preset) =>
    select(
      {
        message,
        choices: choices.map((choice) => ({ ...choice })),
        ...(preset === undefined ? {} : { default: preset }),
      },
      context,
    ),
  agree: (message, preset) => confirm({ message, default: preset }, context),
};
