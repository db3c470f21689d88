/** How fast records are validated and hashed, and how long the catalogue takes to load. */
import { execFileSync } from 'node:child_process';
import { parseSpec, specHash } from '../../src/enclave/spec/spec.ts';

const context = { regions: [], defaultRegion: 'us-west-2', environment: 'dev' };

/** As the application writes them, and as a careful person does: neither is the easiest case alone. */
function records(count: number): Record<string, unknown>[] {
  return Array.from({ length: count }, (_, index) => ({
    id: `enc_1755986905612_${index}`,
    name: `enclave ${index}`,
    description: 'a record',
    region: 'us-west-2',
    walletAddress: '0x52908400098527886E0F7030069857D2E4169EE7',
    providerId: 'aws-nitro',
    status: 'PENDING_DEPLOY',
    createdAt: '2026-01-01T00:00:00.000Z',
    updatedAt: '2026-01-01T00:00:00.000Z',
    providerConfig:
      index % 2 === 0
        ? {
            dockerImage: 'hello-world',
            cpuCount: '2',
            memoryMiB: '1024',
            instanceType: 'm6i.xlarge',
            enableDebug: false,
            environmentVariables: '{"LOG_LEVEL":"info"}',
          }
        : {
            dockerImage: `ghcr.io/acme/signer:1.4.${index}`,
            cpuCount: 2,
            memoryMiB: 2_048,
            instanceType: 'c6g.xlarge',
            workloadType: 'service',
            exposePorts: [8_080, 8_443],
            awsServices: ['kms', 's3'],
            environmentVariables: { LOG_LEVEL: 'info', PORT: '8080' },
            healthCheck: { startupGraceSeconds: 60 },
            attestation: { expectedMeasurements: [{ pcr0: 'ab'.repeat(48) }] },
          },
    tags: { team: 'signing' },
    policy: { deletionPolicy: 'Retain', drift: { mode: 'repair' } },
  }));
}

function perSecond(count: number, work: () => void): number {
  const start = performance.now();
  work();
  return Math.round((count / (performance.now() - start)) * 1_000);
}

/** The middle one of several rounds: the machine does other things too. */
function median(values: number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

const ROUNDS = 5;
const COUNT = 10_000;

/**
 * In a process of its own, so that it is loaded for the first time. Another module is loaded first: Node's reading of
 * TypeScript takes some 40 ms to begin with, whatever the module.
 */
function catalogueLoadMs(): number {
  const url = (name: string) => new URL(`../../src/enclave/${name}`, import.meta.url).href;
  const program = `await import('${url('json.ts')}');
    const start = performance.now();
    await import('${url('instance-types/instance-types.ts')}');
    console.log(performance.now() - start);`;
  const args = ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', program];
  return Number(execFileSync(process.execPath, args, { encoding: 'utf8' }));
}

export async function benchSpec(): Promise<Record<string, number>> {
  const all = records(COUNT);
  const specs = all.map((record) => {
    const result = parseSpec(record, context);
    if (!result.ok) throw new Error(JSON.stringify(result.errors));
    return result.spec;
  });
  const rounds = Array.from({ length: ROUNDS }, () => ({
    validate: perSecond(COUNT, () => {
      for (const record of all) parseSpec(record, context);
    }),
    hash: perSecond(COUNT, () => {
      for (const spec of specs) specHash(spec);
    }),
    load: catalogueLoadMs(),
  }));
  return {
    validate_records_per_second: median(rounds.map((round) => round.validate)),
    hash_records_per_second: median(rounds.map((round) => round.hash)),
    catalogue_load_ms: Math.round(median(rounds.map((round) => round.load)) * 10) / 10,
  };
}
