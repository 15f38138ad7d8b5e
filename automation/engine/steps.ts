import type { EngineEvent } from '@pulumi/pulumi/automation/index.js';

/** What happens to one resource, as `pulumi preview --json` writes it; of the states only the inputs, secrets hidden. */
export interface EngineStep {
  readonly op: string;
  readonly urn: string;
  readonly oldState?: { readonly inputs: Readonly<Record<string, unknown>> };
  readonly newState?: { readonly inputs: Readonly<Record<string, unknown>> };
}

/** Undefined for events that begin no step. */
export function stepOf({ resourcePreEvent }: EngineEvent): EngineStep | undefined {
  if (resourcePreEvent === undefined) return undefined;
  const { op, urn, old, new: asked } = resourcePreEvent.metadata;
  return {
    op,
    urn,
    ...(old ? { oldState: { inputs: old.inputs ?? {} } } : {}),
    ...(asked ? { newState: { inputs: asked.inputs ?? {} } } : {}),
  };
}

/** Of what `--event-log` wrote: one event a line. The last one of a run that was killed may be cut. */
function eventsOfLog(text: string): EngineEvent[] {
  return text.split('\n').flatMap((line) => (line.endsWith('}') ? [JSON.parse(line) as EngineEvent] : []));
}

export const stepsOfLog = (text: string): EngineStep[] =>
  eventsOfLog(text).flatMap((event) => stepOf(event) ?? []);

/** What engine and program called an error. */
export const errorsOfLog = (text: string): string[] =>
  eventsOfLog(text).flatMap(({ diagnosticEvent: said }) =>
    said?.severity === 'error' ? [plainText(said.message)] : [],
  );

/** Without the engine's marks for colours. */
export function plainText(text: string): string {
  return text.replaceAll(/<\{%.*?%\}>/g, '').trim();
}
