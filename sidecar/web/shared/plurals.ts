/** Counted words, and the texts that numbers need. Each language of a page takes them into its own texts. */

export const englishPlural = (noun: string) => (count: number) =>
  `${count.toLocaleString('en-GB')} ${noun}${count === 1 ? '' : 's'}`;

/** One, two to four, five and more. */
export const czechPlural = (one: string, few: string, many: string) => (count: number) =>
  `${count.toLocaleString('cs-CZ')} ${count === 1 ? one : count >= 2 && count <= 4 ? few : many}`;

export const englishNumbers = {
  locale: 'en-GB',
  seconds: englishPlural('second'),
  minutes: englishPlural('minute'),
  hours: englishPlural('hour'),
  days: englishPlural('day'),
  hoursAndMinutes: (hours: string, minutes: number) => `${hours} ${minutes} min`,
  justNow: 'just now',
};
export type NumberTexts = typeof englishNumbers;

export const czechNumbers: NumberTexts = {
  locale: 'cs-CZ',
  seconds: czechPlural('sekunda', 'sekundy', 'sekund'),
  minutes: czechPlural('minuta', 'minuty', 'minut'),
  hours: czechPlural('hodina', 'hodiny', 'hodin'),
  days: czechPlural('den', 'dny', 'dní'),
  hoursAndMinutes: (hours, minutes) => `${hours} ${minutes} min`,
  justNow: 'právě teď',
};
