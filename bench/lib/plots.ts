import type { CaseResult, Growth, Series } from './results.ts';
import { summarise } from './statistics.ts';

/** Plots as plain SVG: no program is needed to see them, and they differ only where the numbers do. */

const INK = '#24292f';
const FAINT = '#d0d7de';
const OURS = '#0969da';
const OTHERS = ['#8c959f', '#bf8700', '#6e7781'] as const;
const FONT = 'font-family="system-ui, sans-serif" font-size="13"';

const escaped = (text: string): string =>
  text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
const label = (x: number, y: number, text: string, more = ''): string =>
  `<text x="${round(x)}" y="${round(y)}" fill="${INK}" ${FONT} ${more}>${escaped(text)}</text>`;
const round = (value: number): number => Math.round(value * 10) / 10;

/** Three digits at most, with thousands: `0.042`, `7.31`, `1,204`. */
export function figure(value: number): string {
  if (value >= 100) return Math.round(value).toLocaleString('en-US');
  return String(Number(value.toPrecision(3)));
}

function document(width: number, height: number, title: string, parts: readonly string[]): string {
  const head = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escaped(title)}">`;
  return `${[head, `<rect width="${width}" height="${height}" fill="#ffffff"/>`, ...parts, '</svg>'].join('\n')}\n`;
}

/** Bars with the median; a whisker from the shortest to the longest run. */
export function barPlot({ title, series }: Pick<CaseResult, 'title' | 'series'>): string {
  const shown = series.filter(({ runs }) => runs.length > 0);
  const [width, left, right, top, step] = [720, 210, 90, 44, 34];
  const summaries = shown.map(({ runs }) => summarise(runs.map(({ seconds }) => seconds)));
  const most = Math.max(...summaries.map(({ most: longest }) => longest), 1e-9);
  const x = (seconds: number): number => left + (seconds / most) * (width - left - right);
  const bars = shown.flatMap((each: Series, index) => {
    const { median, least, most: longest } = summaries[index] as (typeof summaries)[number];
    const y = top + index * step;
    const colour = each.isOurs ? OURS : OTHERS[0];
    const middle = y + 11;
    return [
      label(left - 10, y + 15, each.label, 'text-anchor="end"'),
      `<rect x="${left}" y="${y}" width="${round(Math.max(1, x(median) - left))}" height="22" fill="${colour}"/>`,
      `<path d="M${round(x(least))} ${middle}H${round(x(longest))}M${round(x(least))} ${middle - 5}v10M${round(x(longest))} ${middle - 5}v10" stroke="${INK}" fill="none"/>`,
      label(x(longest) + 8, y + 15, `${figure(median)} s`),
    ];
  });
  const height = top + shown.length * step + 10;
  return document(width, height, title, [
    label(16, 24, `${title}: seconds, less is better`, 'font-weight="600"'),
    ...bars,
  ]);
}

/** Lines over the number of files, both axes logarithmic: what grows linearly rises by 45 degrees of the grid. */
export function growthPlot({ title, unit, lines }: Growth): string {
  const [width, height, left, top, right, bottom] = [720, 360, 70, 44, 170, 48];
  const points = lines.flatMap((line) => line.points).filter(({ value }) => value > 0);
  const decades = (values: readonly number[]): [number, number] => {
    const low = Math.floor(Math.log10(Math.min(...values)) + 1e-9);
    return [low, Math.max(low + 1, Math.ceil(Math.log10(Math.max(...values)) - 1e-9))];
  };
  const [x0, x1] = decades(points.map(({ files }) => files));
  const [y0, y1] = decades(points.map(({ value }) => value));
  const x = (files: number): number => left + ((Math.log10(files) - x0) / (x1 - x0)) * (width - left - right);
  const y = (value: number): number =>
    height - bottom - ((Math.log10(value) - y0) / (y1 - y0)) * (height - top - bottom);
  const ticks = (from: number, to: number): number[] =>
    Array.from({ length: to - from + 1 }, (_, index) => 10 ** (from + index));
  const grid = [
    ...ticks(x0, x1).flatMap((files) => [
      `<path d="M${round(x(files))} ${top}V${height - bottom}" stroke="${FAINT}"/>`,
      label(x(files), height - bottom + 18, figure(files), 'text-anchor="middle"'),
    ]),
    ...ticks(y0, y1).flatMap((value) => [
      `<path d="M${left} ${round(y(value))}H${width - right}" stroke="${FAINT}"/>`,
      label(left - 8, y(value) + 4, figure(value), 'text-anchor="end"'),
    ]),
    label((left + width - right) / 2, height - 10, 'files', 'text-anchor="middle"'),
  ];
  const drawn = lines.flatMap((line, index) => {
    const shown = line.points.filter(({ value }) => value > 0);
    const last = shown.at(-1);
    if (last === undefined) return [];
    const colour = line.isOurs ? OURS : (OTHERS[index % OTHERS.length] as string);
    const dash = line.isOurs && index > 0 ? 'stroke-dasharray="6 4"' : '';
    const path = shown.map(({ files, value }) => `${round(x(files))} ${round(y(value))}`).join('L');
    return [
      `<path d="M${path}" stroke="${colour}" stroke-width="2" fill="none" ${dash}/>`,
      ...shown.map(
        ({ files, value }) =>
          `<circle cx="${round(x(files))}" cy="${round(y(value))}" r="3.5" fill="${colour}"/>`,
      ),
      label(x(last.files) + 10, y(last.value) + 4, `${line.label}: ${figure(last.value)} ${unit}`),
    ];
  });
  return document(width, height, title, [
    label(16, 24, `${title} (${unit})`, 'font-weight="600"'),
    ...grid,
    ...drawn,
  ]);
}
