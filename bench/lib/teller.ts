/** Says what is under way: one line that is written over on a terminal, a line each elsewhere. */
export interface Teller {
  step(line: string): void;
  /** A line that stays. */
  result(line: string): void;
}

export function tellerTo(stream: NodeJS.WriteStream): Teller {
  const isTerminal = stream.isTTY === true;
  const clear = isTerminal ? '\r\u001b[K' : '';
  return {
    step: (line) => {
      stream.write(isTerminal ? clear + line.slice(0, (stream.columns ?? 80) - 1) : `${line}\n`);
    },
    result: (line) => {
      stream.write(`${clear}${line}\n`);
    },
  };
}

export const SILENT: Teller = { step: () => undefined, result: () => undefined };
