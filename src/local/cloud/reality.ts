/** What exists of one enclave, as the provider's refresh and import see it. */
import type { World } from './carry-out.ts';
import type { SimHost } from './model.ts';
import type { Found, Reality } from './plan.ts';
import { HOST_TYPE } from './stack.ts';

/** A host on its way out counts as gone, as it does to the provider. */
function foundHost(host: SimHost | undefined): Found | undefined {
  if (host === undefined || host.state === 'terminated' || host.state === 'shutting-down') return undefined;
  return {
    id: host.instanceId,
    attributes: { instance_type: host.instanceType, ami: host.amiId, tags: { ...host.tags } },
  };
}

/** Among several hosts with the enclave's tag the pinned one is meant; it is found by its id even without the tag. */
export function lookAt({ hosts, resources }: World, enclaveId: string, region: string, pinnedId: string): Reality {
  return {
    byId: (type, id) => (type === HOST_TYPE ? foundHost(hosts.get(id)) : resources.byId(region, type, id)),
    byName(type, name) {
      if (type !== HOST_TYPE) return resources.byName(region, type, name);
      const tagged = hosts.ofEnclave(enclaveId).filter((each) => each.region === region);
      const pinned = tagged.find((each) => each.instanceId === pinnedId);
      return foundHost(pinned ?? tagged[0] ?? hosts.get(pinnedId));
    },
  };
}
