/**
 * Quantities as people write them in a stack file, parsed to one canonical number each. A parser returns `undefined`
 * for text it does not take, so that the caller can say which key it was.
 */

export const SIZE_UNITS: Readonly<Record<string, number>> = {
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  M: 1e6,
  G: 1e9,
  T: 1e12,
};

/** Bytes of a Kubernetes size such as `50Gi`; fractions and bare numbers are refused, they are mostly mistakes. */
export function parseSizeBytes(text: string): number | undefined {
  const match = /^(\d{1,9})(Mi|Gi|Ti|M|G|T)$/.exec(text.trim());
  const [, amount, unit] = match ?? [];
  if (!amount || !unit) return undefined;
  const bytes = Number(amount) * (SIZE_UNITS[unit] ?? Number.NaN);
  return Number.isSafeInteger(bytes) && bytes > 0 ? bytes : undefined;
}

export const DURATION_SECONDS: Readonly<Record<string, number>> = {
  second: 1,
  minute: 60,
  hour: 3600,
  day: 86_400,
};

/** Seconds of a duration such as `5 minutes` or `1 hour`. */
export function parseDurationSeconds(text: string): number | undefined {
  const match = /^(\d{1,6})\s+(second|minute|hour|day)s?$/.exec(text.trim());
  const [, amount, unit] = match ?? [];
  if (!amount || !unit) return undefined;
  return Number(amount) * (DURATION_SECONDS[unit] ?? Number.NaN);
}

/** Thousandths of a CPU from a number of CPUs such as `2`, `0.5` or `1500m`. */
export function parseCpuMillis(text: string): number | undefined {
  const trimmed = text.trim();
  if (/^\d{1,6}m$/.test(trimmed)) return Number(trimmed.slice(0, -1));
  if (!/^\d{1,4}(\.\d{1,3})?$/.test(trimmed)) return undefined;
  return Math.round(Number(trimmed) * 1000);
}

/** How Kubernetes writes thousandths of a CPU: `2`, `1500m`. */
export function cpuQuantity(millis: number): string {
  return millis % 1000 === 0 ? String(millis / 1000) : `${millis}m`;
}

/** How Kubernetes itself writes bytes, rounded down to mebibytes: `512Mi`, `10Gi`. Another form would look like a change. */
export function bytesQuantity(bytes: number): string {
  const mebibytes = Math.floor(bytes / 2 ** 20);
  return mebibytes > 0 && mebibytes % 1024 === 0 ? `${mebibytes / 1024}Gi` : `${mebibytes}Mi`;
}

/** A duration as people read it, in the largest unit that needs no fraction: `5 minutes`. */
export function describeDuration(seconds: number): string {
  const units = Object.entries(DURATION_SECONDS).sort(([, a], [, b]) => b - a);
  const [unit, size] = units.find(([, length]) => seconds % length === 0) ?? ['second', 1];
  const amount = seconds / size;
  return `${amount} ${unit}${amount === 1 ? '' : 's'}`;
}
