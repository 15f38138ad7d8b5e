import { type Logger, pino } from 'pino';

/** Lines of JSON on standard output. */
export const consoleLogger = (): Logger =>
  pino({
    base: { component: 'console' },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
  });
