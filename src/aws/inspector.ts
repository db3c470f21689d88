/** The resources of one enclave in EC2, SSM, CloudWatch Logs and IAM, each by its id or name. */
import { createHash } from 'node:crypto';
import { DescribeLogGroupsCommand } from '@aws-sdk/client-cloudwatch-logs';
import {
  DescribeInstanceAttributeCommand,
  DescribeSecurityGroupsCommand,
  DescribeVolumesCommand,
} from '@aws-sdk/client-ec2';
import {
  GetRoleCommand,
  GetRolePolicyCommand,
  ListAttachedRolePoliciesCommand,
  ListRolePoliciesCommand,
} from '@aws-sdk/client-iam';
import { DescribeInstanceInformationCommand } from '@aws-sdk/client-ssm';
import { logGroupName, resourceName } from '../enclave/names.ts';
import { OperatorError } from '../reconciler/ports/index.ts';
import type { Inspector } from '../reconciler/ports/inspector.ts';
import type { AwsClients } from './clients.ts';
import { call } from './errors.ts';
import { decoded } from './roles.ts';
import { toGroups, toVolumes } from './surroundings.ts';

export interface InspectorOptions {
  readonly clients: Pick<AwsClients, 'ec2' | 'ssm' | 'logs' | 'iam'>;
}

/** The enclave stack gives a role two; the limit keeps a role that somebody filled from costing hundreds of calls. */
const MOST_INLINE_POLICIES = 20;

export function createInspector({ clients }: InspectorOptions): Inspector {
  const inlinePolicy = (RoleName: string, PolicyName: string, abortSignal: AbortSignal) =>
    call('iam:GetRolePolicy', RoleName, () =>
      clients.iam.send(new GetRolePolicyCommand({ RoleName, PolicyName }), { abortSignal }),
    );

  return {
    async instanceAttributes(region, InstanceId, abortSignal) {
      const read = (Attribute: 'userData' | 'disableApiTermination') =>
        call('ec2:DescribeInstanceAttribute', `host ${InstanceId}`, () =>
          clients.ec2(region).send(new DescribeInstanceAttributeCommand({ InstanceId, Attribute }), { abortSignal }),
        );
      const { UserData } = await read('userData');
      const { DisableApiTermination } = await read('disableApiTermination');
      const data = UserData?.Value;
      return {
        userData: data === undefined ? undefined : createHash('sha1').update(Buffer.from(data, 'base64')).digest('hex'),
        terminationProtection: DisableApiTermination?.Value,
      };
    },

    async rootVolume(region, instanceId, abortSignal) {
      const Filters = [{ Name: 'attachment.instance-id', Values: [instanceId] }];
      const { Volumes = [] } = await call('ec2:DescribeVolumes', `host ${instanceId}`, () =>
        clients.ec2(region).send(new DescribeVolumesCommand({ Filters }), { abortSignal }),
      );
      const [volume, ...more] = Volumes.flatMap((each) => toVolumes(each, instanceId));
      if (volume === undefined || more.length > 0) return undefined;
      return { encrypted: volume.encrypted, deleteOnTermination: volume.deleteOnTermination };
    },

    async agentOnline(region, instanceId, abortSignal) {
      const Filters = [{ Key: 'InstanceIds', Values: [instanceId] }];
      const answer = await call('ssm:DescribeInstanceInformation', `host ${instanceId}`, () =>
        clients.ssm(region).send(new DescribeInstanceInformationCommand({ Filters, MaxResults: 5 }), { abortSignal }),
      );
      const known = answer.InstanceInformationList?.find((each) => each.InstanceId === instanceId);
      return known && known.PingStatus === 'Online';
    },

    async rules(region, groupId, abortSignal) {
      const { SecurityGroups = [] } = await call('ec2:DescribeSecurityGroups', `group ${groupId}`, () =>
        clients.ec2(region).send(new DescribeSecurityGroupsCommand({ GroupIds: [groupId] }), { abortSignal }),
      );
      return SecurityGroups.flatMap((each) => toGroups(each, groupId))[0]?.rules;
    },

    async logGroup(region, enclaveId, abortSignal) {
      const name = logGroupName(enclaveId);
      const answer = await call('logs:DescribeLogGroups', name, () =>
        clients
          .logs(region)
          .send(new DescribeLogGroupsCommand({ logGroupNamePrefix: name, limit: 50 }), { abortSignal }),
      );
      const own = answer.logGroups?.find((each) => each.logGroupName === name);
      if (own === undefined) return { exists: false };
      return { exists: true, retentionDays: own.retentionInDays ?? null, kmsKeyArn: own.kmsKeyId ?? null };
    },

    async role(enclaveId, abortSignal) {
      const RoleName = resourceName('instance-role', enclaveId);
      const { Role } = await call('iam:GetRole', RoleName, () =>
        clients.iam.send(new GetRoleCommand({ RoleName }), { abortSignal }),
      );
      const { AttachedPolicies = [] } = await call('iam:ListAttachedRolePolicies', RoleName, () =>
        clients.iam.send(new ListAttachedRolePoliciesCommand({ RoleName }), { abortSignal }),
      );
      const { PolicyNames = [], IsTruncated } = await call('iam:ListRolePolicies', RoleName, () =>
        clients.iam.send(new ListRolePoliciesCommand({ RoleName, MaxItems: MOST_INLINE_POLICIES }), { abortSignal }),
      );
      if (IsTruncated === true) {
        const message = `${RoleName} has more than ${MOST_INLINE_POLICIES} inline policies, which are not read`;
        throw new OperatorError('Terminal', 'iam:ListRolePolicies', message);
      }
      const inline: Record<string, string> = {};
      for (const name of PolicyNames) {
        inline[name] = decoded((await inlinePolicy(RoleName, name, abortSignal)).PolicyDocument ?? '');
      }
      return {
        trust: decoded(Role?.AssumeRolePolicyDocument ?? ''),
        attachedArns: AttachedPolicies.map(({ PolicyArn = '' }) => PolicyArn),
        inline,
      };
    },
  };
}
