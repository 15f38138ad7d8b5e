import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { barPlot, figure, growthPlot } from './plots.ts';
import { type CaseResult, isMet, type Results, type Target } from './results.ts';
import { highest, summarise } from './statistics.ts';

/** Where results are kept and shown. */
export interface Places {
  /** JSON of all results. */
  readonly resultsFile: string;
  /** Markdown page; everything between its marks is written anew. */
  readonly page: string;
  /** Folder of the plots, and how the page refers to it. */
  readonly plots: string;
  readonly plotsLink: string;
}

const MARKS = { begin: '<!-- results: begin -->', end: '<!-- results: end -->' } as const;

export async function readResults(file: string): Promise<Results> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Results;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return { version: 1, cases: [] };
  }
}

/** Writes results, plots and page. @throws Error where the page lacks its marks */
export async function publish(results: Results, places: Places): Promise<void> {
  await mkdir(places.plots, { recursive: true });
  await writeFile(places.resultsFile, `${JSON.stringify(results, null, 2)}\n`);
  for (const each of results.cases) {
    await writeFile(join(places.plots, `${each.name}.svg`), barPlot(each));
    for (const [index, growth] of each.growth.entries()) {
      await writeFile(join(places.plots, `${each.name}-growth-${index + 1}.svg`), growthPlot(growth));
    }
  }
  const page = await readFile(places.page, 'utf8');
  await writeFile(places.page, withResults(page, pageOf(results, places.plotsLink), places.page));
}

export function withResults(page: string, text: string, name: string): string {
  const [begin, end] = [page.indexOf(MARKS.begin), page.indexOf(MARKS.end)];
  if (begin < 0 || end < begin) throw new Error(`${name} has no lines "${MARKS.begin}" and "${MARKS.end}"`);
  return `${page.slice(0, begin + MARKS.begin.length)}\n\n${text}\n\n${page.slice(end)}`;
}

export function pageOf(results: Results, plotsLink: string): string {
  return results.cases.map((each) => caseText(each, plotsLink)).join('\n\n');
}

function caseText(result: CaseResult, plotsLink: string): string {
  const { machine } = result;
  return [
    `### ${result.title}`,
    result.setup,
    `![${result.title}](${plotsLink}/${result.name}.svg)`,
    seriesTable(result),
    ...(result.targets.length === 0 ? [] : [targetTable(result.targets)]),
    ...result.growth.map(
      (growth, index) => `![${growth.title}](${plotsLink}/${result.name}-growth-${index + 1}.svg)`,
    ),
    `Measured ${result.measuredAt} at scale \`${result.scale}\` on ${machine.cores} cores (${machine.processor}), ` +
      `${machine.memoryGiB} GiB of memory, ${machine.disk}, ${machine.kernel}, Node ${machine.node}; ${loadText(result)}.`,
  ].join('\n\n');
}

function loadText({ series }: CaseResult): string {
  const loads = series.flatMap(({ runs }) => runs.map(({ load }) => load));
  if (loads.length === 0) return 'load not known';
  const { median, most } = summarise(loads);
  return `load of the machine while it was measured ${figure(median)}, at most ${figure(most)}`;
}

function seriesTable({ series }: CaseResult): string {
  const rows = series
    .filter(({ runs }) => runs.length > 0)
    .map(({ label, runs }) => {
      const { median, least, most } = summarise(runs.map(({ seconds }) => seconds));
      const cpu = runs.map(({ cpuSeconds }) => cpuSeconds).filter((value) => value !== null);
      const memory = highest(runs, 'peakBytes');
      const requests = highest(runs, 'requests');
      return [
        label,
        `${figure(median)} s`,
        `${figure(least)}–${figure(most)}`,
        cpu.length === 0 ? '' : `${figure(summarise(cpu).median)} s`,
        memory === null ? '' : `${figure(memory / 2 ** 20)} MiB`,
        requests === null ? '' : requests.toLocaleString('en-US'),
      ];
    });
  return table(['', 'median', 'spread', 'processor', 'highest memory', 'requests'], rows);
}

const targetTable = (targets: readonly Target[]): string =>
  table(
    ['promised', 'limit', 'measured', 'met'],
    targets.map((target) => [
      target.text,
      `${target.sense === 'at most' ? '≤' : '≥'} ${figure(target.limit)} ${target.unit}`.trim(),
      `${figure(target.measured)} ${target.unit}`.trim(),
      isMet(target) ? 'yes' : '**no**',
    ]),
  );

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');
