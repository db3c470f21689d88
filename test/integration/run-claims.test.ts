/** Who may claim a run: the documents, interpreted over a real database, for every machine and every run. */
import { CreateTableCommand, GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { marshall, unmarshall } from '@aws-sdk/util-dynamodb';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { workflow } from '../../infra/workflows/index.ts';
import { keys } from '../../src/enclave/items/items.ts';
import { type RunAction, runName } from '../../src/enclave/names.ts';
import { interpret, ServiceError } from '../../src/local/engine/interpreter.ts';
import { callService } from '../../src/local/engine/service-calls.ts';
import { systemClock } from '../../src/reconciler/ports/system-clock.ts';
import { noDatabase, startTestDatabase, type TestDatabase } from '../support/conformance-database.ts';
import { parameters } from '../support/interpreted.ts';

const ENCLAVE = 'enc_1';
const MACHINES = { deploy: 'deployment', destroy: 'cleanup' } as const satisfies Record<RunAction, string>;
const ACTIONS = Object.keys(MACHINES) as RunAction[];

const arnOf = (machine: RunAction, name: string) =>
  `arn:aws:states:us-west-2:000000000000:execution:treza-dev-${MACHINES[machine]}:${name}`;

describe.skipIf(noDatabase !== undefined)(
  `a claim${noDatabase === undefined ? '' : ` (skipped: ${noDatabase})`}`,
  () => {
    let database: TestDatabase;
    beforeAll(async () => {
      database = await startTestDatabase();
      const attributes = ['pk', 'sk'] as const;
      await database.client.send(
        new CreateTableCommand({
          TableName: parameters.stateTable,
          BillingMode: 'PAY_PER_REQUEST',
          AttributeDefinitions: attributes.map((AttributeName) => ({ AttributeName, AttributeType: 'S' })),
          KeySchema: attributes.map((AttributeName, index) => ({ AttributeName, KeyType: index ? 'RANGE' : 'HASH' })),
        }),
      );
    });
    afterAll(() => database?.stop());

    const lockKey = keys.lock(ENCLAVE);
    const put = (lock: object) =>
      database.client.send(
        new PutItemCommand({ TableName: parameters.stateTable, Item: marshall({ ...lockKey, ...lock }) }),
      );
    const stored = async () => {
      const { Item } = await database.client.send(
        new GetItemCommand({ TableName: parameters.stateTable, Key: marshall(lockKey), ConsistentRead: true }),
      );
      return Item && unmarshall(Item);
    };

    /** Starts an execution of the machine for the run. Its task is not run: reaching it ends the execution. */
    async function execute(machine: RunAction, execution: string, run: string) {
      let reached = false;
      const end = await interpret(
        workflow(machine, parameters),
        { enclave_id: ENCLAVE, run, action: machine },
        {
          clock: systemClock,
          execution: { id: arnOf(machine, execution), name: execution },
          pauses: 'none',
          call: async (call) => {
            if (call.resource.includes(':dynamodb:') && !reached)
              return callService(
                call,
                { dynamodb: database.client, tasks: {} as never },
                { submitted: () => undefined },
              );
            reached = true;
            throw new ServiceError('States.Runtime', 'the test ends here');
          },
        },
      ).end;
      return { reached, end };
    }

    const action = fc.constantFrom(...ACTIONS);
    const scenario = fc.record({
      machine: action,
      /** The name of the execution: the run's, as the operator starts it, or one that a caller chose. */
      execution: fc.constantFrom('the run', 'another'),
      runAction: action,
      /** Of the lock: what an earlier version left out, and who else may claim it or has claimed it. */
      intended: fc.constantFrom('by an earlier version', 'for this run', 'for the other machine', 'for another name'),
      claimed: fc.constantFrom('by none', 'by this execution', 'by another'),
      lockedRun: fc.constantFrom('this', 'another'),
    });

    it('only the execution that the lock names claims a run, on the machine of its action', async () => {
      await fc.assert(
        fc.asyncProperty(scenario, async ({ machine, execution, runAction, intended, claimed, lockedRun }) => {
          const run = runName(ENCLAVE, 1, runAction, 0.1);
          const name = execution === 'the run' ? run : `cleanup-${ENCLAVE}-1`;
          const other = runAction === 'deploy' ? 'destroy' : 'deploy';
          const me = arnOf(machine, name);
          const intendedExecution = {
            'by an earlier version': undefined,
            'for this run': arnOf(runAction, run),
            'for the other machine': arnOf(other, run),
            'for another name': arnOf(runAction, 'another'),
          }[intended];
          const executionArn = { 'by none': undefined, 'by this execution': me, 'by another': 'arn' }[claimed];
          const lock = {
            run: lockedRun === 'this' ? run : runName(ENCLAVE, 2, runAction, 0.2),
            state: executionArn === undefined ? 'intended' : 'claimed',
            ...(intendedExecution === undefined ? {} : { action: runAction, intendedExecution }),
            ...(executionArn === undefined ? {} : { executionArn }),
          };
          await put(lock);
          const { reached, end } = await execute(machine, name, run);
          const isOfThisMachine = machine === runAction;
          const isIntended = intendedExecution === undefined || intendedExecution === me;
          const mayClaim = lockedRun === 'this' && (claimed === 'by none' ? isIntended : executionArn === me);
          expect(reached).toBe(isOfThisMachine && mayClaim);
          if (!isOfThisMachine) expect(end).toMatchObject({ status: 'FAILED', error: 'WrongAction' });
          else if (!mayClaim) expect(end).toEqual({ status: 'SUCCEEDED', output: { result: 'coalesced' } });
          if (!reached) expect(await stored()).toEqual({ ...lockKey, ...lock });
          else expect(await stored()).toMatchObject({ run, state: 'claimed', executionArn: me });
        }),
        { numRuns: 150, examples: [[CLEANUP_OF_A_DEPLOY_RUN]] },
      );
    });
  },
);

/** The application may start this machine, and sees the names of runs. */
const CLEANUP_OF_A_DEPLOY_RUN = {
  machine: 'destroy',
  execution: 'another',
  runAction: 'deploy',
  intended: 'by an earlier version',
  claimed: 'by none',
  lockedRun: 'this',
} as const;
