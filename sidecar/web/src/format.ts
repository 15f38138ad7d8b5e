import { numberFormats } from '../shared/format.ts';
import { t } from './language.ts';

export const { formatBytes, formatCount, formatDuration, formatAgo, formatTime, formatClock } =
  numberFormats(t);
