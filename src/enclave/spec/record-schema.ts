/** The schema of a whole record: what a user may write, as one document. */
import { z } from 'zod';
import { COMMAND_STATUSES, OBSERVED_STATUSES } from '../record.ts';
import { field } from './fields.ts';
import { PolicySchema } from './policy-schema.ts';
import { ProviderConfigSchema, RecordFieldsSchema } from './schema.ts';

const { id, walletAddress, providerId, region, tags } = RecordFieldsSchema.shape;

/**
 * `parseSpec` reads the parts one by one; this joins them for the JSON schema, `enclavectl explain` and the reference.
 * Names, descriptions and statuses are free there: they never make a record invalid.
 */
export const RecordSchema = z.looseObject({
  id,
  walletAddress,
  providerId,
  status: field(
    z.string().default('PENDING_DEPLOY'),
    `Command or observation. Commands: ${COMMAND_STATUSES.join(', ')}. Observations: ${OBSERVED_STATUSES.join(', ')}.`,
    { example: 'PENDING_DEPLOY' },
  ),
  name: field(z.string().optional(), 'A name for people; at most 128 characters.', { change: 'none' }),
  description: field(z.string().optional(), 'A sentence for people; at most 1,024 characters.', { change: 'none' }),
  region,
  tags,
  providerConfig: field(ProviderConfigSchema.prefault({}), 'The enclave. The application replaces the whole map.'),
  policy: field(PolicySchema.prefault({}), "The platform team's word; survives the application's edits.", {
    change: 'none',
  }),
});
