/** Host facts: what EC2 shows of every host that the enclave stack made, and how single facts drift. */
import type { Attribute } from '../../src/drift/index.ts';
import type { Posture } from '../../src/reconciler/ports/index.ts';

/** The same for every enclave, whatever its spec. */
export const HOST_FACTS = {
  enclavesEnabled: true,
  publicIp: null,
} as const satisfies Posture;

/** Attributes that one of these facts decides alone: each change of it is drift, and without the fact it is Unknown. */
export const HOST_DRIFTS = {
  'host.enclaveOptions': { 'a host without enclaves': { enclavesEnabled: false } },
  'network.publicIp': { 'a public address': { publicIp: '192.0.2.1' } },
} as const satisfies Partial<Record<Attribute, Readonly<Record<string, Posture>>>>;

export type HostDrift = keyof typeof HOST_DRIFTS;
export const hostDrifts: Readonly<Record<HostDrift, Readonly<Record<string, Posture>>>> = HOST_DRIFTS;

export function isHostDrift(attribute: Attribute): attribute is HostDrift {
  return Object.hasOwn(HOST_DRIFTS, attribute);
}
