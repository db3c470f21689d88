/** What the operator sees around an enclave in an emulated account, as it is compared. */
import { createAwsPorts } from '../../src/aws/index.ts';
import { digestKey, digestRole, digestRules } from '../../src/drift/index.ts';
import { ConfigSchema } from '../../src/reconciler/config.ts';
import { systemClock, systemRandom } from '../../src/reconciler/ports/system-clock.ts';
import { collect } from './conformance-harness.ts';
import { EMULATED_REGION, type Emulator } from './emulator.ts';
import { memoryLog } from './memory-world.ts';

export async function seenAround(emulator: Emulator, environment: string, keyArn: string) {
  // The SDK looks at no keys where a profile is named.
  delete process.env.AWS_PROFILE;
  Object.assign(process.env, { AWS_ENDPOINT_URL: emulator.url, AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b' });
  const config = ConfigSchema.parse({ region: EMULATED_REGION, environment });
  const ports = createAwsPorts({ config, log: memoryLog(), clock: systemClock, random: systemRandom });
  const { surroundings } = ports;
  try {
    const [group] = await collect((signal) => surroundings.groups(EMULATED_REGION, signal));
    const [role] = await collect((signal) => surroundings.roles(signal));
    const [volume] = await collect((signal) => surroundings.volumes(EMULATED_REGION, signal));
    const [logGroup] = await collect((signal) => surroundings.logGroups(EMULATED_REGION, signal));
    const key = digestKey(await surroundings.key(keyArn, true, new AbortController().signal));
    const { trust, inline, attached } = role === undefined ? {} : digestRole(role);
    return {
      made: {
        groupId: group?.groupId,
        rules: group && digestRules(group.rules).digest,
        trust: trust?.digest,
        inline: inline?.digest,
        attached: attached?.digest,
        keyPolicy: key.policy?.digest,
      },
      key,
      volume,
      logGroup,
    };
  } finally {
    ports.close();
  }
}
