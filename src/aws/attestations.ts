/** What KMS saw of attestations, as CloudTrail's event history has it. */
import { type CloudTrailClient, type Event, LookupEventsCommand } from '@aws-sdk/client-cloudtrail';
import { isPlainMap } from '../enclave/json.ts';
import type { SeenAttestation, Span } from '../reconciler/ports/inventory.ts';
import { call } from './errors.ts';

/** Most that a call gives, by its reference. */
const PAGE_SIZE = 50;

/** Names of the registers in `additionalEventData.recipient`; see "Monitoring requests for Nitro enclaves" of KMS' guide. */
const REGISTERS: Readonly<Record<string, string>> = {
  attestationDocumentEnclaveImageDigest: 'pcr0',
  attestationDocumentEnclavePCR1: 'pcr1',
  attestationDocumentEnclavePCR2: 'pcr2',
  attestationDocumentEnclavePCR3: 'pcr3',
  attestationDocumentEnclavePCR4: 'pcr4',
  attestationDocumentEnclavePCR8: 'pcr8',
};

/** One page of the Decrypts with an attestation within a time, and the token of the next; of any page that has none, nothing. */
export async function attestationPage(
  client: CloudTrailClient,
  region: string,
  { from, until }: Span,
  NextToken: string | undefined,
  signal: AbortSignal,
): Promise<{ readonly items: readonly SeenAttestation[]; readonly next: string | undefined }> {
  const input = {
    LookupAttributes: [{ AttributeKey: 'EventName' as const, AttributeValue: 'Decrypt' }],
    StartTime: new Date(from),
    EndTime: new Date(until),
    MaxResults: PAGE_SIZE,
    NextToken,
  };
  const answer = await call('cloudtrail:LookupEvents', `region ${region}`, () =>
    client.send(new LookupEventsCommand(input), { abortSignal: signal }),
  );
  return { items: (answer.Events ?? []).flatMap(toAttestation), next: answer.NextToken };
}

/** None where KMS has refused, or nobody attested. */
function toAttestation({ EventTime, CloudTrailEvent }: Event): SeenAttestation[] {
  const event = parsed(CloudTrailEvent);
  const data = isPlainMap(event) && event.errorCode === undefined ? event.additionalEventData : undefined;
  const recipient = isPlainMap(data) ? data.recipient : undefined;
  if (!isPlainMap(recipient) || EventTime === undefined) return [];
  // <instance id>-enc<number>
  const [, instanceId] = /^(i-[0-9a-f]+)-enc/.exec(String(recipient.attestationDocumentModuleId)) ?? [];
  if (instanceId === undefined) return [];
  const measurements: Record<string, string> = {};
  for (const [name, register] of Object.entries(REGISTERS)) {
    const value = hexOf(recipient[name]);
    if (value !== undefined) measurements[register] = value;
  }
  return [{ instanceId, at: EventTime.getTime(), measurements }];
}

function parsed(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? '');
  } catch {
    // Not an event: it says nothing.
    return undefined;
  }
}

const REGISTER_BYTES = 48;

/** A register is written in hex or in base64. */
function hexOf(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined;
  if (/^[0-9a-f]{96}$/i.test(value)) return value.toLowerCase();
  const bytes = Buffer.from(value, 'base64');
  return bytes.length === REGISTER_BYTES ? bytes.toString('hex') : undefined;
}
