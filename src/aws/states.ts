/** Terraform states, and the locks on them, as objects of S3: which there are, and nothing of what is in them. */
import { ListObjectsV2Command, type S3Client } from '@aws-sdk/client-s3';
import { enclaveOfLock, enclaveOfState, STATES_PREFIX } from '../enclave/names.ts';
import type { TerraformStates } from '../reconciler/ports/index.ts';
import { call } from './errors.ts';

const PAGE_SIZE = 1_000;

export function createTerraformStates(s3: S3Client, bucket: string): TerraformStates {
  return {
    async *list(signal) {
      let from: string | undefined;
      do {
        const input = { Bucket: bucket, Prefix: STATES_PREFIX, MaxKeys: PAGE_SIZE, ContinuationToken: from };
        const page = await call('s3:ListObjectsV2', `bucket ${bucket}`, () =>
          s3.send(new ListObjectsV2Command(input), { abortSignal: signal }),
        );
        yield (page.Contents ?? []).flatMap(({ Key: key = '', LastModified: modified }) => {
          const modifiedAt = modified?.getTime() ?? 0;
          const enclaveId = enclaveOfState(key);
          if (enclaveId !== undefined) return [{ enclaveId, key, modifiedAt }];
          const locked = enclaveOfLock(key);
          return locked === undefined ? [] : [{ enclaveId: locked, key, modifiedAt, isLock: true as const }];
        });
        from = page.NextContinuationToken;
      } while (from !== undefined);
    },
  };
}
