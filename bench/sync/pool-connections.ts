/** As `http-connections.ts`, without a thread: a plain pool of connections beside everything else. For the ablation alone. */
import { channel } from 'node:diagnostics_channel';
import type { Dispatcher } from 'undici';
import { type DispatcherOptions, makeDispatcher } from '../../sidecar/src/spaces/onedata/dispatcher.ts';
import type { Answer, Answered, OutgoingRequest } from '../../sidecar/src/spaces/onedata/http-connections.ts';
import type { LoadMeter } from '../../sidecar/src/spaces/onedata/load-meter.ts';
import type { Headers } from '../../sidecar/src/spaces/onedata/thread-messages.ts';

export const ANSWERED = 'scipion:onedata:answered';
const answered = channel(ANSWERED);

export class HttpConnections {
  readonly #origin: string;
  readonly #dispatcher: Dispatcher;
  readonly #meter: LoadMeter | undefined;

  constructor(options: DispatcherOptions, meter?: LoadMeter) {
    this.#origin = options.origin;
    this.#dispatcher = makeDispatcher(options);
    this.#meter = meter;
  }

  async request({ signal, ...outgoing }: OutgoingRequest): Promise<Answer> {
    const meter = this.#meter;
    meter?.begin();
    let response: Dispatcher.ResponseData;
    try {
      response = await this.#dispatcher.request({
        origin: this.#origin,
        ...(outgoing as Omit<Dispatcher.RequestOptions, 'origin'>),
        ...(signal === undefined ? {} : { signal }),
      });
    } catch (error) {
      answered.publish({ status: null } satisfies Answered);
      meter?.end(isTimeout(error));
      throw error;
    }
    const { statusCode: status, headers, body } = response;
    answered.publish({ status } satisfies Answered);
    let isOpen = true;
    const end = (isOverloaded: boolean) => {
      if (isOpen) meter?.end(isOverloaded);
      isOpen = false;
    };
    const bytes = async function* (): AsyncGenerator<Uint8Array> {
      let isOverloaded = status === 429 || status === 503;
      try {
        for await (const chunk of body as AsyncIterable<Uint8Array>) {
          meter?.moved(chunk.byteLength);
          yield chunk;
        }
      } catch (error) {
        isOverloaded ||= isTimeout(error);
        throw error;
      } finally {
        end(isOverloaded);
      }
    };
    const drop = () => {
      if (isOpen) void body.dump().catch(() => undefined);
      end(false);
    };
    return { status, headers: headers as Headers, body: bytes(), drop };
  }

  close(): Promise<void> {
    return this.#dispatcher.destroy();
  }
}

const isTimeout = (error: unknown) => /TIMEOUT|TIMEDOUT/.test(String((error as { code?: unknown }).code));
