/** The operator's log: JSON lines, secrets cut out. */
import { expect, it } from 'vitest';
import { createLog } from '../../../src/cli/log.ts';

function logged(level: string, write: (log: ReturnType<typeof createLog>) => void): readonly Record<string, unknown>[] {
  const lines: string[] = [];
  write(createLog({ level, destination: { write: (line) => void lines.push(line) } }));
  return lines.map((line) => JSON.parse(line));
}

it('writes one JSON object an event, with level, time and message', () => {
  const [line] = logged('info', (log) => log.warn({ enclaveId: 'enc_1', error: new Error('why') }, 'it failed'));
  expect(line).toMatchObject({
    level: 'warn',
    message: 'it failed',
    enclaveId: 'enc_1',
    error: { message: 'why', stack: expect.any(String) },
  });
  expect(new Date(String(line?.time)).getTime()).toBeGreaterThan(0);
});

it('leaves out what is less severe than asked for', () => {
  const lines = logged('warn', (log) => {
    log.info({}, 'quiet');
    log.error({}, 'loud');
  });
  expect(lines.map(({ message }) => message)).toEqual(['loud']);
});

it('cuts secrets out, as deep as records and runs hold them', () => {
  const text = JSON.stringify(
    logged('debug', (log) => {
      log.info({ secretAccessKey: 'hush1', request: { authorization: 'hush2' } }, 'm');
      log.info({ record: { providerConfig: { environmentVariables: { KEY: 'hush3' } } } }, 'm');
      log.info({ run: { variables: { spec: { environmentVariables: { KEY: 'hush4' } } } } }, 'm');
      log.info({ record: { githubConnection: { accessToken: 'hush5' } } }, 'm');
    }),
  );
  expect(text).not.toMatch(/hush\d/);
  expect(text).toContain('[redacted]');
});
