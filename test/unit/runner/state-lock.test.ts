/** Whose a Terraform state lock is, and when it may be broken. */
import { describe, expect, it } from 'vitest';
import {
  DEAD_AFTER_MS,
  hostOf,
  judgeStateLock,
  readStateLock,
  type Suspect,
  suspectsOf,
  type TaskState,
} from '../../../runner/src/state-lock.ts';

const at = (minute: number) => new Date(Date.UTC(2026, 0, 1, 0, minute)).toISOString();
const stored = {
  ID: '5f3c0a9e-7b3e-1111-2222-333344445555',
  Operation: 'OperationTypeApply',
  Info: '',
  Who: 'app@ip-10-0-1-2',
  Version: '1.11.4',
  Created: '2026-01-01T00:10:00.123456789Z',
  Path: 'states/enclaves/a/terraform.tfstate',
};
const lock = readStateLock(JSON.stringify(stored))!;

const run: Suspect = {
  name: 'e-a-1-deploy',
  host: 'ip-10-0-1-2',
  startedAt: at(5),
  taskArn: 'task-1',
  outcome: undefined,
};
const ended = (by: string, minute: number) => ({ result: 'failed' as const, at: at(minute), by });

describe('a state lock', () => {
  it('is read as Terraform writes it', () => {
    expect(lock).toEqual({ id: stored.ID, who: stored.Who, createdAt: Date.parse(stored.Created) });
    expect(hostOf(lock)).toBe('ip-10-0-1-2');
    expect(hostOf({ ...lock, who: 'me@home@host' })).toBe('host');
  });

  it.each([
    ['no JSON'],
    ['[]'],
    ['{}'],
    [JSON.stringify({ ...stored, ID: '' })],
    [JSON.stringify({ ...stored, Created: 'x' })],
  ])('is nothing where it is not: %s', (text) => expect(readStateLock(text)).toBeUndefined());
});

interface Row {
  readonly reason: string;
  readonly runs: readonly Suspect[];
  readonly task?: TaskState;
  readonly now?: string;
  readonly verdict: 'dead' | 'live' | 'foreign';
}

const longAfter = new Date(Date.parse(at(5)) + DEAD_AFTER_MS).toISOString();

const rows: readonly Row[] = [
  { reason: 'no run: a person made it', runs: [], verdict: 'foreign' },
  { reason: 'runs on another host', runs: [{ ...run, host: 'ip-10-0-9-9' }], verdict: 'foreign' },
  { reason: 'a run that began later', runs: [{ ...run, startedAt: at(11) }], verdict: 'foreign' },
  { reason: 'a run no task has taken', runs: [{ ...run, startedAt: undefined }], verdict: 'foreign' },
  { reason: 'a run that had ended before', runs: [{ ...run, outcome: ended('runner', 9) }], verdict: 'foreign' },
  { reason: 'the asking run itself', runs: [{ ...run, name: 'e-a-2-deploy' }], verdict: 'foreign' },
  { reason: 'a task at work', runs: [run], task: 'active', verdict: 'live' },
  { reason: 'a task ECS says nothing of', runs: [run], verdict: 'live' },
  { reason: 'a task ECS has stopped', runs: [run], task: 'stopped', verdict: 'dead' },
  {
    reason: 'a runner that said it is done',
    runs: [{ ...run, outcome: ended('runner', 12) }],
    task: 'active',
    verdict: 'dead',
  },
  {
    reason: 'an outcome of the operator while the task works',
    runs: [{ ...run, outcome: ended('operator', 12) }],
    task: 'active',
    verdict: 'live',
  },
  { reason: 'a task ECS does not know, too early', runs: [run], task: 'unknown', verdict: 'live' },
  {
    reason: 'a task ECS does not know, after its last moment',
    runs: [run],
    task: 'unknown',
    now: longAfter,
    verdict: 'dead',
  },
  {
    reason: 'a live one beside a dead one',
    runs: [
      { ...run, outcome: ended('runner', 12) },
      { ...run, name: 'e-a-3', taskArn: 'task-2' },
    ],
    verdict: 'live',
  },
];

describe('the owner of a state lock', () => {
  it.each(rows)('$reason: $verdict', ({ runs, task, now = at(20), verdict }) => {
    const tasks = new Map(task === undefined ? [] : [['task-1', task]]);
    expect(judgeStateLock(suspectsOf(lock, runs, 'e-a-2-deploy'), tasks, Date.parse(now)).kind).toBe(verdict);
  });
});
