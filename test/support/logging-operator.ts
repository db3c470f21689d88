/** An operator on virtual time that logs everything as it does in production. */
import { createLog } from '../../src/cli/log.ts';
import type { Config } from '../../src/reconciler/config.ts';
import { type VirtualOperator, virtualOperator } from './virtual-operator.ts';

export function loggingOperator(overrides: Partial<Config> = {}): {
  readonly v: VirtualOperator;
  readonly lines: readonly Record<string, unknown>[];
} {
  const v = virtualOperator(overrides);
  const lines: Record<string, unknown>[] = [];
  const log = createLog({ level: 'debug', destination: { write: (line) => void lines.push(JSON.parse(line)) } });
  const connect = v.world.connect.bind(v.world);
  Object.assign(v.world, {
    connect: () => {
      const connection = connect();
      return { ...connection, ports: { ...connection.ports, log } };
    },
  });
  return { v, lines };
}
