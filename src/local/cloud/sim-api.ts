/** `/_sim/*`: the simulated cloud's own API, spoken by the runner's simulated engine and by tests. */
import type { ServerResponse } from 'node:http';
import { z } from 'zod';
import { ControlSchema, control } from './control.ts';
import type { Core } from './core.ts';
import { CloudError } from './model.ts';
import { madeOf } from './surroundings.ts';
import { PlanRefused } from './terraform.ts';

export interface SimRequest {
  readonly method: string;
  readonly url: URL;
  readonly body: string;
}

const PlanSchema = z.object({
  enclaveId: z.string().min(1),
  stateKey: z.string().min(1),
  destroy: z.boolean(),
  variables: z.record(z.string(), z.unknown()),
});
const PlanIdSchema = z.object({ planId: z.string() });

const JSON_TYPE = { 'content-type': 'application/json' };

function send(response: ServerResponse, status: number, body: unknown): void {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(status, JSON_TYPE);
  response.end(JSON.stringify(body));
}

/** Aborts when the client goes away before it has its answer: the process that asked is dead. */
function untilGone(response: ServerResponse): AbortSignal {
  const gone = new AbortController();
  response.once('close', () => {
    if (!response.writableFinished) gone.abort();
  });
  return gone.signal;
}

async function apply(core: Core, planId: string, response: ServerResponse): Promise<void> {
  const gone = untilGone(response);
  response.writeHead(200, { 'content-type': 'application/x-ndjson' });
  const emit = (line: object) => {
    if (!response.destroyed) response.write(`${JSON.stringify(line)}\n`);
  };
  const result = await core.terraform.apply(planId, emit, gone);
  emit({ type: 'result', ...result });
  response.end();
}

async function answer(core: Core, request: SimRequest, response: ServerResponse): Promise<void> {
  const { url } = request;
  const query = (name: string) => url.searchParams.get(name) ?? '';
  const body = <T>(schema: z.ZodType<T>): T => schema.parse(JSON.parse(request.body || '{}'));
  switch (`${request.method} ${url.pathname}`) {
    case 'POST /_sim/terraform/plan':
      return send(response, 200, await core.terraform.plan(body(PlanSchema), untilGone(response)));
    case 'POST /_sim/terraform/apply':
      return apply(core, body(PlanIdSchema).planId, response);
    case 'POST /_sim/terraform/interrupt':
      return send(response, 200, { interrupted: core.terraform.interrupt(body(PlanIdSchema).planId) });
    case 'GET /_sim/terraform/state': {
      const { resources, outputs } = core.terraform.state(query('key'));
      const made = query('enclaveId') === '' ? undefined : madeOf(core, query('enclaveId'));
      return send(response, 200, { resources: resources.map(({ address }) => address), outputs, made });
    }
    case 'GET /_sim/inventory':
      return send(response, 200, {
        resources: core.terraform.inventory(query('enclaveId'), query('instanceId') || undefined),
      });
    case 'POST /_sim/control':
      return send(response, 200, control(core, body(ControlSchema)));
    case 'GET /_sim/control/stats':
      return send(response, 200, core.tally.snapshot());
    default:
      return send(response, 404, { error: { summary: `${request.method} ${url.pathname} does not exist` } });
  }
}

export async function answerSim(core: Core, request: SimRequest, response: ServerResponse): Promise<void> {
  try {
    await answer(core, request, response);
  } catch (error) {
    if (error instanceof PlanRefused) return send(response, 409, { error: error.diagnostic });
    if (error instanceof CloudError)
      return send(response, 404, { error: { summary: error.message, code: error.code } });
    if (error instanceof z.ZodError || error instanceof SyntaxError) {
      return send(response, 400, { error: { summary: 'the request is not understood', detail: error.message } });
    }
    throw error;
  }
}
