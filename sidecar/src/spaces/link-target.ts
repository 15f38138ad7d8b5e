import { isUtf8 } from 'node:buffer';

const ODD_TARGET = '\uFFFF';

/** The target of a link as text; bytes that are no UTF-8 are kept as U+FFFF and one character a byte. */
export function targetText(raw: Buffer): string {
  const text = raw.toString('utf8');
  return isUtf8(raw) && !text.startsWith(ODD_TARGET) ? text : ODD_TARGET + raw.toString('latin1');
}

export function targetBytes(target: string): Buffer {
  return target.startsWith(ODD_TARGET) ? Buffer.from(target.slice(1), 'latin1') : Buffer.from(target, 'utf8');
}

/** Only the manifest can hold such a target. */
export function isOddTarget(target: string): boolean {
  return target.startsWith(ODD_TARGET);
}
