/** One KMS key: its state, its policy, its grants; each of which may be hidden from us. */
import { DescribeKeyCommand, GetKeyPolicyCommand, type KMSClient, ListGrantsCommand } from '@aws-sdk/client-kms';
import type { KeyDocuments } from '../reconciler/ports/index.ts';
import { call, onNames } from './errors.ts';

/** Denied, or not to be had in the key's state: this part is unknown, and the others may yet be known. */
const hidden = onNames('hidden' as const, 'AccessDeniedException', 'KMSInvalidStateException');
const gone = onNames('gone' as const, 'NotFoundException');

export async function seeKey(
  client: KMSClient,
  keyArn: string,
  withGrants: boolean,
  signal: AbortSignal,
): Promise<KeyDocuments> {
  const options = { abortSignal: signal };
  const described = await call(
    'kms:DescribeKey',
    keyArn,
    () => client.send(new DescribeKeyCommand({ KeyId: keyArn }), options),
    (error) => hidden(error) ?? gone(error),
  );
  if (described === 'gone') return { state: 'Gone' };
  const metadata = described === 'hidden' ? undefined : described.KeyMetadata;
  // Where an alias is named, only the key behind it has a policy.
  const KeyId = metadata?.Arn ?? keyArn;
  const answer = await call(
    'kms:GetKeyPolicy',
    keyArn,
    () => client.send(new GetKeyPolicyCommand({ KeyId, PolicyName: 'default' }), options),
    hidden,
  );
  return {
    state: metadata?.KeyState,
    policy: answer === 'hidden' ? undefined : answer.Policy,
    grantIds: withGrants ? await grants(client, KeyId, options) : undefined,
  };
}

async function grants(
  client: KMSClient,
  KeyId: string,
  options: { readonly abortSignal: AbortSignal },
): Promise<readonly string[] | undefined> {
  const found: string[] = [];
  let Marker: string | undefined;
  do {
    const page = await call(
      'kms:ListGrants',
      KeyId,
      () => client.send(new ListGrantsCommand({ KeyId, Limit: 100, Marker }), options),
      hidden,
    );
    if (page === 'hidden') return undefined;
    found.push(...(page.Grants ?? []).map(({ GrantId = '' }) => GrantId));
    Marker = page.Truncated === true ? page.NextMarker : undefined;
  } while (Marker !== undefined);
  return found;
}
