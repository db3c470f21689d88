/** The registers that follow from where an enclave runs, and what each is computed from. */
import type { Lock } from '../../enclave/items/items.ts';
import type { Lifecycle } from '../../enclave/items/lifecycle.ts';
import type { RunItem } from '../../enclave/items/run.ts';
import { computedMeasurements, hostRoleArn } from '../../enclave/measurements.ts';
import type { RawRecord } from '../../reconciler/ports/index.ts';
import { indent, nameLines } from '../output.ts';
import type { Target } from '../target.ts';

interface Known {
  readonly id: string;
  readonly record: RawRecord | undefined;
  readonly lifecycle: Lifecycle | undefined;
  readonly lock: Lock | undefined;
  readonly runs: readonly RunItem[];
}

/** Of the configuration: no account has this number, it means that none was named. */
const NO_ACCOUNT = '000000000000';

/** PCR3 as soon as the account is known, PCR4 as soon as there is a host. */
export function measurementSection(known: Known, target: Pick<Target, 'config' | 'local'>): string {
  const { id, record, lifecycle } = known;
  if (lifecycle?.phase === 'destroyed') return '';
  const region =
    typeof record?.region === 'string' ? record.region : (lifecycle?.snapshot?.region ?? target.config.region);
  const instanceId = lifecycle?.pinned.instanceId;
  const accountId = accountOf(known, target);
  const rolePath = lifecycle?.pinned.legacy === undefined ? target.config.rolePath : '/';
  const place = { accountId: accountId ?? NO_ACCOUNT, region, enclaveId: id, rolePath, instanceId };
  const { pcr3, pcr4 } = computedMeasurements(place);
  const unknown = 'not known: no run has told the AWS account yet; name it with ENCLAVE_OPERATOR_ACCOUNT_ID';
  const body = nameLines([
    ['PCR3', accountId === undefined ? unknown : pcr3],
    ['  of the role', accountId === undefined ? undefined : hostRoleArn(place)],
    ['PCR4', pcr4 ?? 'not known: there is no host yet'],
    ['  of the host', instanceId],
  ]);
  return `\nExpected measurements (computed; a debug enclave attests zeros):\n${indent(body)}`;
}

/** The account the runs ran in; the configured one where there was no run yet. */
function accountOf({ lock, runs }: Known, { config, local }: Pick<Target, 'config' | 'local'>): string | undefined {
  const arns = [lock?.executionArn, ...runs.flatMap((run) => [run.executionArn, run.taskArn])];
  // arn:partition:service:region:account:resource
  const seen = arns
    .map((arn) => arn?.split(':')[4])
    .find((account) => account !== undefined && /^\d{12}$/.test(account));
  if (seen !== undefined) return seen;
  return local === undefined && config.accountId === NO_ACCOUNT ? undefined : config.accountId;
}
