import { type Activity, type ActivityReport, REPORT_EVERY_MS } from '../../../contract/activity.ts';
import type { Clock } from '../../clock.ts';

/** A report that is older says nothing any more: its container may hang, or be on its way back. */
const GOOD_FOR_MS = 4 * REPORT_EVERY_MS;
/** Scipion's windows redraw themselves now and then; a viewer or a tool in a terminal takes more. */
const BUSY_CPUS = 0.2;

type From = ActivityReport['from'];
interface Heard<R> {
  readonly report: R;
  readonly at: number;
}

/** How long an instance was not used. Anything that is not known begins it again, so that nobody is taken for absent. */
export class ActivityWatch {
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #isOpen: () => boolean;
  readonly #onUse: () => void;
  readonly #heard: { [F in From]?: Heard<Extract<ActivityReport, { from: F }>> } = {};
  /** Since when both were heard without a gap and said nothing. */
  #idleSince: number | undefined;

  /**
   * @param isOpen the data is there and nothing closes; else it is at work by itself
   * @param onUse somebody or something uses it
   */
  constructor(clock: Pick<Clock, 'monotonic'>, isOpen: () => boolean, onUse: () => void = () => {}) {
    this.#clock = clock;
    this.#isOpen = isOpen;
    this.#onUse = onUse;
  }

  note(report: ActivityReport): void {
    const at = this.#clock.monotonic();
    this.#forgetOld(at);
    if (report.from === 'gateway') this.#heard.gateway = { report, at };
    else this.#heard.desktop = { report, at };
    if (this.#isUsed()) this.#onUse();
    this.#count(at);
  }

  view(): Activity {
    const now = this.#clock.monotonic();
    this.#forgetOld(now);
    this.#count(now);
    const { gateway, desktop } = this.#heard;
    const isKnown = this.#isUsed() || !this.#isOpen() || this.#idleSince !== undefined;
    return {
      windows: gateway?.report.windows ?? null,
      protocols: desktop?.report.protocols ?? null,
      cpus: desktop?.report.cpus ?? null,
      idleSeconds: isKnown ? Math.floor((now - (this.#idleSince ?? now)) / 1000) : null,
    };
  }

  #count(now: number): void {
    const { gateway, desktop } = this.#heard;
    const isSilent = gateway === undefined || desktop === undefined;
    if (isSilent || this.#isUsed() || !this.#isOpen()) this.#idleSince = undefined;
    else this.#idleSince ??= now;
  }

  #isUsed(): boolean {
    const { gateway, desktop } = this.#heard;
    const { protocols = 0, cpus = 0 } = desktop?.report ?? {};
    return (gateway?.report.windows ?? 0) > 0 || protocols > 0 || cpus >= BUSY_CPUS;
  }

  #forgetOld(now: number): void {
    for (const from of ['gateway', 'desktop'] as const) {
      const heard = this.#heard[from];
      if (heard === undefined || now - heard.at <= GOOD_FOR_MS) continue;
      delete this.#heard[from];
      this.#idleSince = undefined;
    }
  }
}
