/** What an enclave's stack and its runner must know of the platform: written by the platform stack, read by the runner. */
import { z } from 'zod';

const RegionFactsSchema = z.object({
  vpcId: z.string(),
  vpcCidr: z.string(),
  /** Private subnets; the runner chooses the one whose zone offers the instance type. */
  subnets: z.array(z.object({ id: z.string(), zone: z.string() })).min(1),
  /** Group of the VPC's interface endpoints; absent: the host reaches AWS through the network's own way out. */
  endpointSecurityGroupId: z.string().optional(),
  /** What has an interface endpoint, by its name in `awsServices`; absent: everything an enclave may ask for. */
  interfaceEndpoints: z.array(z.string()).optional(),
  /** Prefix lists of the gateway endpoints (S3, DynamoDB). */
  prefixListIds: z.array(z.string()).default([]),
  /** Bucket of the hosts' configuration objects and of the agent's bundle, in this region. */
  configurationBucket: z.string(),
  /** KMS key of that bucket; absent: SSE-S3. */
  configurationKmsKeyArn: z.string().optional(),
});
export type RegionFacts = z.infer<typeof RegionFactsSchema>;

/** The runner reads it as JSON from the variable `PLATFORM_FACTS` of its task definition. */
export const PlatformFactsSchema = z.object({
  environment: z.string(),
  prefix: z.string(),
  accountId: z.string(),
  partition: z.string().default('aws'),
  stateTable: z.string(),
  /** Region of the state table, where hosts put their reports. */
  stateTableRegion: z.string(),
  terraformState: z.object({
    bucket: z.string(),
    region: z.string(),
    kmsKeyArn: z.string().optional(),
    /** The lock table of the pipeline that is being replaced, while both are in use. */
    lockTable: z.string().optional(),
  }),
  /** Bucket and prefix of full JSON plans and of parked states; encrypted, with an expiry. */
  plans: z.object({ bucket: z.string(), region: z.string(), prefix: z.string() }),
  /** Path of the roles of hosts, e.g. `/enclaves/`. */
  rolePath: z.string(),
  permissionsBoundaryArn: z.string().optional(),
  /** Roles that may administrate the enclaves' KMS keys: the runner's, and one for emergencies. */
  keyAdministratorArns: z.array(z.string()),
  /** Roles that may see those keys' state, policy and grants: the operator's. */
  keyObserverArns: z.array(z.string()).default([]),
  /** The host agent's bundle, by digest, in each region's configuration bucket under this key. */
  agent: z.object({ key: z.string(), sha256: z.string(), version: z.string() }),
  regions: z.record(z.string(), RegionFactsSchema),
});
export type PlatformFacts = z.infer<typeof PlatformFactsSchema>;
export type PlatformFactsInput = z.input<typeof PlatformFactsSchema>;
