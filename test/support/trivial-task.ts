/** A task program for tests of the engine: does what its run's name says. */
import { spawn } from 'node:child_process';

const { RUN = '', ENCLAVE_ID, HISTORY_TABLE, STATE_TABLE, ECS_CONTAINER_METADATA_URI_V4: metadata } = process.env;

/** Written to the log of the run, where the tests read it. */
function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function writeOutcome(result: string): Promise<void> {
  const { DynamoDBClient, UpdateItemCommand } = await import('@aws-sdk/client-dynamodb');
  const task = (await (await fetch(`${metadata}/task`)).json()) as { TaskARN: string };
  await new DynamoDBClient({}).send(
    new UpdateItemCommand({
      TableName: HISTORY_TABLE,
      // Without an enclave the run is the fleet's.
      Key: { pk: { S: ENCLAVE_ID === undefined ? 'fleet' : `run#${ENCLAVE_ID}` }, sk: { S: RUN } },
      UpdateExpression: 'SET taskArn = :task, outcome = :outcome',
      ExpressionAttributeValues: {
        ':task': { S: task.TaskARN },
        ':outcome': {
          M: {
            result: { S: result },
            class: { S: 'quota' },
            message: { S: 'no vCPUs left' },
            at: { S: new Date().toISOString() },
            by: { S: 'runner' },
          },
        },
      },
    }),
  );
}

say(`variables ${Object.keys(process.env).sort().join(',')}`);
say(`tables ${STATE_TABLE} ${HISTORY_TABLE}`);
say(`pid ${process.pid}`);
if (RUN.includes('succeed')) await writeOutcome('succeeded');
else if (RUN.includes('fail')) {
  await writeOutcome('failed');
  process.exitCode = 1;
} else if (RUN.includes('silent')) process.exitCode = 7;
else {
  // `hang` ends at SIGTERM, `stubborn` does not.
  let terms = 0;
  process.on('SIGTERM', () => {
    terms += 1;
    say(`SIGTERM ${terms}`);
    if (RUN.includes('hang')) process.exit(143);
  });
  spawn(process.execPath, ['-e', ''], { stdio: 'ignore' });
  setInterval(() => undefined, 1_000);
  say('ready');
}
