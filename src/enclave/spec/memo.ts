/** Specs already worked out: a fleet has many enclaves and few specs, and most looks find nothing new. */
import { isPlainMap } from '../json.ts';
import { omit } from '../omit.ts';
import { type SpecContext, type SpecSource, type WorkedOut, workOut } from './spec.ts';

/** Kept at a time; the one that was wanted longest ago goes first. */
const MOST_KEPT = 1_000;
/** Characters. A record may hold 400 KB, and what is odd is rarely met twice. */
const LONGEST_KEPT = 4_096;

/** {@link workOut} for one context, which answers again what it answered before. Results are frozen, so they are shared. */
export function rememberedWorkOut(context: SpecContext): (source: SpecSource) => WorkedOut {
  const kept = new Map<string, WorkedOut>();
  return (given) => {
    const source = { ...given, providerConfig: withoutHost(given.providerConfig) };
    const text = JSON.stringify([source.providerConfig, source.region, source.tags, source.appliedImage]);
    if (text.length > LONGEST_KEPT) return workOut(source, context);
    const worked = kept.get(text) ?? workOut(source, context);
    kept.delete(text);
    kept.set(text, worked);
    if (kept.size > MOST_KEPT) {
      const [oldest = ''] = kept.keys();
      kept.delete(oldest);
    }
    return worked;
  };
}

/** What is published there is no part of the spec, and differs from enclave to enclave. */
function withoutHost(providerConfig: unknown): unknown {
  if (!isPlainMap(providerConfig) || providerConfig.instanceId === undefined) return providerConfig;
  return omit(providerConfig, 'instanceId');
}
