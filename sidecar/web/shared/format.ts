import type { NumberTexts } from './plurals.ts';

/** Numbers as people read them. Sizes in powers of 1000, as disks and Onedata count. */

const SIZE_UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'] as const;

/** @param t the texts of the language that is set */
export function numberFormats(t: () => NumberTexts) {
  function formatBytes(bytes: number): string {
    let value = bytes;
    let unit = 0;
    while (value >= 999.5 && unit < SIZE_UNITS.length - 1) {
      value /= 1000;
      unit += 1;
    }
    const digits = unit === 0 || value >= 99.5 ? 0 : 1;
    const options = { minimumFractionDigits: digits, maximumFractionDigits: digits, useGrouping: false };
    return `${value.toLocaleString(t().locale, options)} ${SIZE_UNITS[unit]}`;
  }

  function formatCount(count: number): string {
    return count.toLocaleString(t().locale);
  }

  /** A length of time, coarse enough to be believed: seconds below a minute, then minutes, then hours and minutes. */
  function formatDuration(seconds: number): string {
    if (seconds < 60) return t().seconds(Math.max(1, Math.round(seconds)));
    const minutes = Math.round(seconds / 60);
    if (minutes < 60) return t().minutes(minutes);
    const hours = Math.floor(minutes / 60);
    if (hours >= 48) return t().days(Math.round(hours / 24));
    const rest = minutes % 60;
    return rest === 0 ? t().hours(hours) : t().hoursAndMinutes(t().hours(hours), rest);
  }

  function formatAgo(seconds: number): string {
    if (seconds < 10) return t().justNow;
    const [count, unit] =
      seconds < 60
        ? ([seconds, 'second'] as const)
        : seconds < 3600
          ? ([seconds / 60, 'minute'] as const)
          : seconds < 48 * 3600
            ? ([seconds / 3600, 'hour'] as const)
            : ([seconds / 86_400, 'day'] as const);
    return new Intl.RelativeTimeFormat(t().locale).format(-Math.round(count), unit);
  }

  /** A day and an hour, in the time zone of the browser. */
  function formatTime(iso: string): string {
    return new Date(iso).toLocaleString(t().locale, { dateStyle: 'medium', timeStyle: 'short' });
  }

  /** An hour of the day, in the time zone of the browser. @param time in ms since 1970 */
  function formatClock(time: number): string {
    return new Date(time).toLocaleTimeString(t().locale, { timeStyle: 'short' });
  }

  return { formatBytes, formatCount, formatDuration, formatAgo, formatTime, formatClock };
}
