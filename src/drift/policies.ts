/** KMS policies, by what they allow. */
import { parsePolicyDocument } from '../enclave/digests.ts';
import { isPlainMap, type JsonMap, type JsonValue } from '../enclave/json.ts';

/** Operations that lead to a plaintext, or let somebody else have one; see "KMS actions" of its documentation. */
const REVEALING = [
  'decrypt',
  'derivesharedsecret',
  'generatedatakey',
  'generatedatakeypair',
  'reencryptfrom',
  'reencryptto',
  'creategrant',
];
const ATTESTED = 'kms:recipientattestation:';
/** Operators that bind to a value: others also hold without an attestation, or, as `Null` does, with any. */
const BINDING: ReadonlySet<string> = new Set([
  'stringequals',
  'stringequalsignorecase',
  'foranyvalue:stringequals',
  'foranyvalue:stringequalsignorecase',
]);

/** Statements that let somebody at a plaintext without an attestation, or with one of zeros, as every debug enclave has. */
export function bypasses(policy: string | undefined): readonly string[] | undefined {
  const document = parsePolicyDocument(policy);
  if (document === undefined) return undefined;
  return listOf(document.Statement)
    .map((statement, index) => ({ statement, name: `statement ${index + 1}` }))
    .filter(({ statement }) => isPlainMap(statement) && isBypass(statement))
    .map(({ name }) => name);
}

function isBypass(statement: JsonMap): boolean {
  if (statement.Effect !== 'Allow' || !reveals(statement)) return false;
  const values = attestedValues(statement.Condition);
  return values.length === 0 || values.some((value) => /^0*$/.test(value));
}

function reveals({ Action, NotAction }: JsonMap): boolean {
  if (NotAction !== undefined) return true;
  return listOf(Action).some((action) => {
    if (action === '*') return true;
    const [service, name = ''] = String(action).toLowerCase().split(':');
    if (service !== 'kms') return false;
    // What comes before the first wildcard decides: rather too often than too seldom.
    const [head = ''] = name.split(/[*?]/, 1);
    return head === name ? REVEALING.includes(name) : REVEALING.some((each) => each.startsWith(head));
  });
}

/** What the statement binds to of an attestation. */
function attestedValues(condition: JsonValue | undefined): readonly string[] {
  if (!isPlainMap(condition)) return [];
  return Object.entries(condition).flatMap(([operator, keys]) => {
    const name = operator.toLowerCase();
    if (!isPlainMap(keys) || !BINDING.has(name)) return [];
    return Object.entries(keys)
      .filter(([key]) => key.toLowerCase().startsWith(ATTESTED))
      .flatMap(([, values]) => listOf(values).map(String));
  });
}

function listOf(value: JsonValue | undefined): readonly JsonValue[] {
  if (value === undefined || value === null) return [];
  return Array.isArray(value) ? value : [value as JsonValue];
}
