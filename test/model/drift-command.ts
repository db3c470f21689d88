/** enclavectl drift on tables in memory, on virtual time, with what it prints taken apart again. */
import { type DriftStore, driftFrom } from '../../src/cli/commands/drift.ts';
import type { Io } from '../../src/cli/io.ts';
import { type DriftAnswer, DriftAnswerSchema } from '../../src/enclave/items/drift-answer.ts';
import { keys } from '../../src/enclave/items/items.ts';
import { LifecycleSchema } from '../../src/enclave/items/lifecycle.ts';
import type { JsonMap } from '../../src/enclave/json.ts';
import { ioFor } from '../support/cli.ts';
import type { VirtualOperator } from '../support/virtual-operator.ts';

/** A line of a table, by the heads of its columns. */
export type Line = Readonly<Record<string, string>>;

export interface Printed {
  readonly code: number;
  readonly lines: readonly Line[];
  readonly err: string;
}

export interface Asked extends Printed {
  /** The item of the history table; undefined: no operator has answered. */
  readonly answer: DriftAnswer | undefined;
  readonly askedAt: number;
}

function storeOf({ world: { tables } }: VirtualOperator, onKey: (key: string) => void): DriftStore {
  const parsed = (item: JsonMap | undefined) => (item === undefined ? undefined : LifecycleSchema.parse(item));
  return {
    lifecycle: async (id) => {
      const { pk, sk } = keys.lifecycle(id);
      return parsed(tables.state.get(pk, sk));
    },
    lifecycles: async () =>
      [...tables.state.items()].filter(({ sk }) => sk === 'lifecycle').map((item) => LifecycleSchema.parse(item)),
    request: async (request) => {
      onKey(request.key);
      tables.state.put({ ...keys.request(request.id, request.key), ...request });
    },
    driftAnswer: async (id, requestKey) => {
      const { pk, sk } = keys.driftAnswer(id, requestKey);
      const item = tables.history.get(pk, sk);
      return item === undefined ? undefined : DriftAnswerSchema.parse(item);
    },
  };
}

const { io: IO } = ioFor();

/** `enclavectl drift ID`, or without an id `enclavectl drift`; time has to be moved until it ends. */
export async function enclavectlDrift(v: VirtualOperator, id?: string): Promise<Asked> {
  let key = '';
  let [out, err] = ['', ''];
  const io: Io = {
    ...IO,
    clock: v.clock,
    random: v.world.ports.random,
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
  };
  const store = storeOf(v, (each) => {
    key = each;
  });
  const askedAt = v.clock.now();
  const code = await driftFrom(io, store, id, { output: 'table', timeout: '60' });
  const answer = id === undefined ? undefined : await store.driftAnswer(id, key);
  return { code, lines: linesOf(out), err, answer, askedAt };
}

/** Columns begin where their heads do. */
function linesOf(table: string): readonly Line[] {
  const [head = '', ...lines] = table.split('\n').filter((line) => line !== '');
  const columns = [...head.matchAll(/\S+(?: \S+)*/g)].map(({ 0: name, index }) => ({ name, index }));
  return lines.map((line) =>
    Object.fromEntries(
      columns.map(({ name, index }, n) => [name, line.slice(index, columns[n + 1]?.index ?? line.length).trim()]),
    ),
  );
}
