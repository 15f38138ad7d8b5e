import { AdaptiveLimit, type LimitRange } from './adaptive-limit.ts';

const STRETCH_MS = 1_000;
/** A request costs about as much as so many bytes of a body. */
const BYTES_OF_A_REQUEST = 65_536;

/** Watches the requests to one server and says how many of them serve best at one time. */
export class LoadMeter {
  readonly #limit: AdaptiveLimit;
  readonly #now: () => number;
  #open = 0;
  #begun: number;
  #work = 0;
  #isFull = false;
  #isOverloaded = false;

  constructor(range: LimitRange, now: () => number = () => performance.now()) {
    this.#limit = new AdaptiveLimit(range);
    this.#now = now;
    this.#begun = now();
  }

  get limit(): number {
    return this.#limit.limit;
  }

  get ceiling(): number {
    return this.#limit.ceiling;
  }

  begin(): void {
    // The first one after a while: what was not asked for does not count as slow.
    if (this.#open === 0 && this.#now() - this.#begun > 2 * STRETCH_MS) this.#start();
    this.#open += 1;
    if (this.#open >= this.limit) this.#isFull = true;
  }

  moved(bytes: number): void {
    this.#work += bytes / BYTES_OF_A_REQUEST;
    this.#look();
  }

  end(isOverloaded: boolean): void {
    this.#open -= 1;
    this.#work += 1;
    if (isOverloaded) this.#isOverloaded = true;
    this.#look();
  }

  #look(): void {
    const milliseconds = this.#now() - this.#begun;
    if (milliseconds < STRETCH_MS) return;
    const [isFull, isOverloaded] = [this.#isFull, this.#isOverloaded];
    this.#limit.look({ rate: this.#work / milliseconds, isFull, isOverloaded });
    this.#start();
  }

  #start(): void {
    this.#begun = this.#now();
    this.#work = 0;
    this.#isFull = this.#open >= this.limit;
    this.#isOverloaded = false;
  }
}
