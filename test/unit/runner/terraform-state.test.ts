/** States that could not be saved: pushed, parked, taken up, set aside. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AwsClients } from '../../../runner/src/aws/clients.ts';
import { saveErroredState, takeUpParkedState } from '../../../runner/src/engine/terraform-state.ts';

const KEY = 'plans/a/parked.tfstate';
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'enclave-state-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function setUp(options: { refusal?: string; bucketAway?: boolean } = {}) {
  const objects = new Map<string, string>();
  const pushed: string[] = [];
  const lines: string[] = [];
  const send = async (command: { constructor: { name: string }; input: { Key: string; Body?: string } }) => {
    if (options.bucketAway) throw new Error('no route');
    const { Key, Body = '' } = command.input;
    switch (command.constructor.name) {
      case 'PutObjectCommand':
        objects.set(Key, Body);
        return {};
      case 'DeleteObjectCommand':
        objects.delete(Key);
        return {};
      default: {
        const body = objects.get(Key);
        if (body === undefined) throw Object.assign(new Error('gone'), { name: 'NoSuchKey' });
        return { Body: { transformToString: async () => body } };
      }
    }
  };
  const note = (message: string) => lines.push(message);
  const parts = {
    clients: { s3: () => ({ send }) } as unknown as AwsClients,
    log: { info: note, warn: note, error: note },
    folder,
    parked: { bucket: 'plans', region: 'us-west-2', key: KEY },
    terraform: {
      interrupt() {},
      async run(commandLine: readonly string[]) {
        pushed.push(commandLine.at(-1) ?? '');
        const { refusal } = options;
        return {
          code: refusal === undefined ? 0 : 1,
          stdout: '',
          stderr: refusal === undefined ? '' : `Error: ${refusal}`,
        };
      },
    },
  };
  return { parts, objects, pushed, lines };
}

const leaveBehind = () => writeFileSync(join(folder, 'errored.tfstate'), 'the state');

describe('a state that could not be saved', () => {
  it('is nothing to do where there is none', async () => {
    const { parts, pushed } = setUp();
    expect(await saveErroredState(parts)).toEqual([]);
    expect(pushed).toEqual([]);
  });

  it('is pushed', async () => {
    leaveBehind();
    const { parts, objects, pushed } = setUp();
    expect(await saveErroredState(parts)).toEqual([]);
    expect(pushed).toEqual(['errored.tfstate']);
    expect(objects.size).toBe(0);
  });

  it('is parked where it cannot be pushed, and the outcome says so', async () => {
    leaveBehind();
    const { parts, objects } = setUp({ refusal: 'no route' });
    expect(await saveErroredState(parts)).toMatchObject([
      { class: 'state', summary: expect.stringContaining('parked') },
    ]);
    expect(objects.get(KEY)).toBe('the state');
  });

  it('is told to be lost where it can be neither', async () => {
    leaveBehind();
    const { parts } = setUp({ refusal: 'no route', bucketAway: true });
    expect(await saveErroredState(parts)).toMatchObject([
      { class: 'state', summary: expect.stringContaining('by tag') },
    ]);
  });
});

describe('a parked state', () => {
  it('is taken up once', async () => {
    const { parts, objects, pushed } = setUp();
    objects.set(KEY, 'the state');
    await takeUpParkedState(parts);
    await takeUpParkedState(parts);
    expect(pushed).toEqual(['parked.tfstate']);
    expect(objects.size).toBe(0);
  });

  it('is set aside where the present one is newer', async () => {
    const { parts, objects, lines } = setUp({
      refusal: 'cannot import state with serial 3 over newer state with serial 5',
    });
    objects.set(KEY, 'the state');
    await takeUpParkedState(parts);
    expect([...objects]).toEqual([[`${KEY}.refused`, 'the state']]);
    expect(lines.join()).toContain('serial 5');
  });

  it('stays where it cannot be pushed for another reason, and the run fails', async () => {
    const { parts, objects } = setUp({ refusal: 'no route' });
    objects.set(KEY, 'the state');
    await expect(takeUpParkedState(parts)).rejects.toThrow('no route');
    expect(objects.get(KEY)).toBe('the state');
  });
});
