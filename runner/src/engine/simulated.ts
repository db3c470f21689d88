/** The simulated cloud's Terraform, over HTTP. */
import { MadeSchema } from '../../../src/enclave/digests.ts';
import { ErrorClassSchema } from '../../../src/enclave/items/run.ts';
import { isPlainMap, type JsonMap } from '../../../src/enclave/json.ts';
import { callJson, callLines } from '../http.ts';
import {
  type ApplyResult,
  type Diagnostic,
  type Engine,
  EngineFailure,
  type Job,
  type PlannedChange,
  type StateView,
} from './port.ts';

const text = (value: unknown) => (typeof value === 'string' ? value : '');
const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

function diagnosticOf(value: unknown): Diagnostic {
  const map: JsonMap = isPlainMap(value) ? value : {};
  const known = ErrorClassSchema.safeParse(map.class);
  return {
    severity: text(map.severity) || 'error',
    summary: text(map.summary),
    detail: text(map.detail),
    ...(known.success ? { class: known.data } : {}),
  };
}

function changeOf(value: unknown): PlannedChange {
  const map: JsonMap = isPlainMap(value) ? value : {};
  const change: JsonMap = isPlainMap(map.change) ? map.change : {};
  return {
    address: text(map.address),
    type: text(map.type),
    change: {
      actions: list(change.actions).map(text),
      before: isPlainMap(change.before) ? change.before : null,
      after: isPlainMap(change.after) ? change.after : null,
      ...(change.importing === undefined ? {} : { importing: change.importing }),
    },
  };
}

/** `baseUrl` is where the simulated cloud answers under `/_sim/`. */
export function simulatedEngine(baseUrl: string, job: Job): Engine {
  const { enclaveId, variables } = job;
  let planId: string | undefined;
  const planning = new AbortController();

  const call = async (method: 'GET' | 'POST', path: string, body?: unknown, signal?: AbortSignal): Promise<JsonMap> => {
    const answer = await callJson({ method, url: `${baseUrl}/_sim/${path}`, body, signal });
    const map: JsonMap = isPlainMap(answer.body) ? answer.body : {};
    if (answer.status === 200) return map;
    throw new EngineFailure([diagnosticOf(map.error)]);
  };
  const inventory = async (instanceId = '') => {
    const query = new URLSearchParams({ enclaveId, instanceId });
    const { resources } = await call('GET', `inventory?${query}`);
    return list(resources).filter(isPlainMap);
  };
  const state = async (): Promise<StateView> => {
    const answer = await call('GET', `terraform/state?${new URLSearchParams({ key: variables.stateKey, enclaveId })}`);
    const outputs = isPlainMap(answer.outputs) ? Object.entries(answer.outputs) : [];
    return {
      resources: list(answer.resources).map(text),
      outputs: Object.fromEntries(outputs.map(([name, value]) => [name, text(value)])),
      made: MadeSchema.optional().parse(answer.made),
    };
  };

  const plan = async () => {
    const body = { enclaveId, stateKey: variables.stateKey, destroy: job.action === 'destroy', variables };
    const answer = await call('POST', 'terraform/plan', body, planning.signal);
    const read = {
      resource_changes: list(answer.resource_changes).map(changeOf),
      resource_drift: list(answer.resource_drift).map(changeOf),
    };
    return { id: text(answer.planId), read };
  };

  return {
    async init() {
      await state();
    },

    async plan() {
      const { id, read } = await plan();
      planId = id;
      return read;
    },

    look: async () => (await plan()).read,

    async apply(progress): Promise<ApplyResult> {
      const diagnostics: Diagnostic[] = [];
      for await (const line of callLines({
        method: 'POST',
        url: `${baseUrl}/_sim/terraform/apply`,
        body: { planId },
      })) {
        if (!isPlainMap(line)) continue;
        if (line.type === 'diagnostic') diagnostics.push(diagnosticOf(line.diagnostic));
        if (line.type === 'result') {
          return line.ok === true ? { ok: true } : { ok: false, interrupted: line.interrupted === true, diagnostics };
        }
        progress(text(line['@message']));
      }
      throw new Error('the simulated Terraform ended without a result');
    },

    async interrupt() {
      if (planId === undefined) planning.abort();
      else await call('POST', 'terraform/interrupt', { planId });
    },

    state,

    // The simulated cloud keeps none.
    async dropEmptyState() {},

    async remaining() {
      return (await inventory()).map(({ type, name, id }) => `${text(type)}/${text(name) || text(id)}`);
    },

    async hostIsGone(instanceId) {
      return !(await inventory(instanceId)).some(({ type, id }) => type === 'aws_instance' && id === instanceId);
    },

    close() {},
  };
}
