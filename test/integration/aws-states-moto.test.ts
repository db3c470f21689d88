/** The list of Terraform states, of a bucket of an emulated S3. */
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTerraformStates } from '../../src/aws/states.ts';
import { stateKey } from '../../src/enclave/names.ts';
import { EMULATED_REGION, type Emulator, startEmulator, toolsMissing } from '../support/emulator.ts';

const missing = toolsMissing().filter((sentence) => sentence.startsWith('moto_server'));
if (missing.length > 0) {
  const text = `the list of states: ${missing.join(' ')}`;
  if (process.env.CI) throw new Error(text);
  console.warn(`skipped: ${text}`);
}
const BUCKET = 'states';
const MANY = 1_001;

describe.skipIf(missing.length > 0)('the bucket of states', { timeout: 120_000 }, () => {
  let emulator: Emulator;
  let s3: S3Client;
  beforeAll(async () => {
    emulator = await startEmulator();
    s3 = new S3Client({
      endpoint: emulator.url,
      region: EMULATED_REGION,
      credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
      forcePathStyle: true,
    });
    const CreateBucketConfiguration = { LocationConstraint: EMULATED_REGION as 'us-west-2' };
    await s3.send(new CreateBucketCommand({ Bucket: BUCKET, CreateBucketConfiguration }));
  });
  afterAll(async () => {
    s3?.destroy();
    await emulator?.stop();
  });

  const put = (Key: string) => s3.send(new PutObjectCommand({ Bucket: BUCKET, Key, Body: '{}' }));
  async function list() {
    const states = createTerraformStates(s3, BUCKET);
    const found = [];
    for await (const page of states.list(new AbortController().signal)) found.push(...page);
    return found;
  }

  it('shows states and locks alone, of whole pages and the rest, and when each was written', async () => {
    expect(await list()).toEqual([]);
    for (let from = 0; from < MANY; from += 50) {
      const ids = Array.from({ length: Math.min(50, MANY - from) }, (_, n) => `enc_${from + n}`);
      await Promise.all(ids.map((id) => put(stateKey(id))));
    }
    await put(`${stateKey('enc_1')}.tflock`);
    await put('platform/terraform.tfstate');
    const found = await list();
    expect(new Set(found.map(({ enclaveId }) => enclaveId)).size).toBe(MANY);
    expect(found).toHaveLength(MANY + 1);
    expect(found.filter(({ isLock }) => isLock)).toMatchObject([
      { enclaveId: 'enc_1', key: `${stateKey('enc_1')}.tflock` },
    ]);
    for (const { enclaveId, key, modifiedAt, isLock } of found) {
      expect(key).toBe(isLock ? `${stateKey(enclaveId)}.tflock` : stateKey(enclaveId));
      expect(Math.abs(Date.now() - modifiedAt)).toBeLessThan(600_000);
    }
  });

  it('fails where there is no such bucket, and is no empty list', async () => {
    const states = createTerraformStates(s3, 'nowhere');
    const [first] = [states.list(new AbortController().signal)[Symbol.asyncIterator]()];
    await expect(first.next()).rejects.toThrow('s3:ListObjectsV2');
  });
});
