/** Requests: looked for where one was told, and then until none is left. */
import { expect, it } from 'vitest';
import { virtualOperator } from '../../../support/virtual-operator.ts';

const ID = 'enc_1755986905612_asked';

/** A deployed enclave at rest; how often its requests are looked for from then on. */
async function atRest() {
  const v = virtualOperator();
  const { connection, stop } = v.start();
  v.post(ID);
  await v.until(() => v.status(ID) === 'DEPLOYED', 'it is deployed');
  let looks = 0;
  connection.faults.before('state.requests', () => {
    looks += 1;
  });
  return { v, stop, connection, looks: () => looks };
}

it('looks for none where none was told, however often the enclave is looked at', async () => {
  const { v, stop, looks } = await atRest();
  await v.clock.advance(3_600_000);
  expect(looks()).toBe(0);
  await stop();
});

it('carries out one that is told, and looks once more for others', async () => {
  const { v, stop, looks } = await atRest();
  v.world.putRequest(ID, 'retry');
  await v.until(() => looks() >= 2, 'it is consumed');
  const before = looks();
  await v.clock.advance(3_600_000);
  expect(looks()).toBe(before);
  await stop();
});

it('does not lose one whose commit fails', async () => {
  const { v, stop, connection } = await atRest();
  const left = () => [...v.world.tables.state.items()].filter(({ pk }) => pk === `request#${ID}`);
  let failed = 0;
  const heal = connection.faults.before('state.commit', () => {
    failed += 1;
    throw new Error('said a test');
  });
  v.world.putRequest(ID, 'retry');
  await v.until(() => failed >= 2, 'the commit fails', 60_000);
  expect(left()).toHaveLength(1);
  heal();
  await v.until(() => left().length === 0, 'it is consumed', 60_000);
  await stop();
});

it('finds one that was written before the operator started', async () => {
  const { v, stop } = await atRest();
  await stop();
  v.world.putRequest(ID, 'retry');
  const next = v.start();
  const left = () => [...v.world.tables.state.items()].filter(({ pk }) => pk === `request#${ID}`);
  await v.until(() => left().length === 0, 'it is consumed');
  await next.stop();
});
