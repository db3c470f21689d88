/** What a change of the spec does: which fields differ, and the most disruptive thing any of them asks for. */
import { architectureOf } from '../instance-types/instance-types.ts';
import { equalJson, isPlainMap } from '../json.ts';
import { type ChangeClass, worse } from './change-class.ts';
import { at, type SpecIssue, show } from './issues.ts';
import { schemaAt } from './schema-path.ts';
import type { EnclaveSpec } from './types.ts';

export { CHANGE_CLASSES, CHANGE_MEANINGS, type ChangeClass } from './change-class.ts';

export interface FieldChange {
  /** Path in the record: `providerConfig.cpuCount`. */
  readonly field: string;
  readonly change: ChangeClass;
  /** Absent where the field is. */
  readonly from?: unknown;
  readonly to?: unknown;
}

export interface SpecChange {
  readonly class: ChangeClass;
  /** Every field that differs, the most disruptive first. */
  readonly changes: readonly FieldChange[];
  /** The fields that make the class what it is. */
  readonly causes: readonly string[];
}

/** Values of variables may be secrets against all advice, and a difference is printed and logged. */
const CONCEALED = 'providerConfig.environmentVariables';
const HIDDEN = '(not shown)';

/** Fields in which two specs differ, in the order of their paths. */
export function changedFields(before: EnclaveSpec, after: EnclaveSpec): readonly FieldChange[] {
  return differences(before, after, '')
    .map(([field, from, to]) => {
      const shown = (value: unknown) => (field.startsWith(CONCEALED) ? HIDDEN : value);
      return {
        field,
        change: classOf(field, from, to),
        ...(from === undefined ? {} : { from: shown(from) }),
        ...(to === undefined ? {} : { to: shown(to) }),
      };
    })
    .sort((a, b) => (a.field < b.field ? -1 : 1));
}

/** The class of a change from one spec to another, `none` where they mean the same. */
export function classifyChange(before: EnclaveSpec, after: EnclaveSpec): SpecChange {
  // By far the most frequent answer, at every look at every enclave.
  if (equalJson(before, after)) return { class: 'none', changes: [], causes: [] };
  const changes = changedFields(before, after);
  const worst = changes.reduce<ChangeClass>((sum, { change }) => worse(sum, change), 'none');
  const isWorst = ({ change }: FieldChange) => change === worst;
  return {
    class: worst,
    changes: [...changes.filter(isWorst), ...changes.filter((change) => !isWorst(change))],
    causes: changes.filter(isWorst).map(({ field }) => field),
  };
}

type Difference = readonly [field: string, from: unknown, to: unknown];

/** Maps are compared member by member, lists as a whole. */
function differences(before: unknown, after: unknown, path: string): Difference[] {
  if (isPlainMap(before) && isPlainMap(after)) {
    const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
    return [...keys].flatMap((key) => differences(own(before, key), own(after, key), at(placeOf(path, key), key)));
  }
  return equalJson(before ?? null, after ?? null) ? [] : [[path, before, after]];
}

/** The spec is flat; in the record all but these lie in `providerConfig`. */
function placeOf(path: string, key: string): string {
  return path === '' && key !== 'region' && key !== 'tags' ? 'providerConfig' : path;
}

function own(map: object, key: string): unknown {
  return Object.hasOwn(map, key) ? Reflect.get(map, key) : undefined;
}

function classOf(field: string, from: unknown, to: unknown): ChangeClass {
  switch (field) {
    case 'providerConfig.instanceType':
      // Another architecture needs another machine image, which EC2 cannot exchange.
      return architectureOf(String(from)) === architectureOf(String(to)) ? 'stopStart' : 'replace';
    case 'providerConfig.host.rootVolumeGiB':
      // EBS volumes grow in place and never shrink.
      return Number(to) >= Number(from) ? 'inPlace' : 'replace';
    default:
      return schemaAt(field)?.change ?? 'replace';
  }
}

/** What never changes during the life of an enclave. A spec is one, as far as it knows. */
export interface Immutable {
  readonly id?: unknown;
  readonly providerId?: unknown;
  readonly walletAddress?: unknown;
  readonly region?: unknown;
}

/** An IMMUTABLE_CHANGED for each field that both have and that differs. */
export function immutableChanges(before: Immutable, after: Immutable): SpecIssue[] {
  return (['id', 'providerId', 'walletAddress', 'region'] as const)
    .filter((key) => before[key] !== undefined && after[key] !== undefined && before[key] !== after[key])
    .map((key) => ({
      field: key,
      code: 'IMMUTABLE_CHANGED',
      message: `${key} was ${show(before[key])} and cannot become ${show(after[key])}`,
      fix: 'Put it back, or delete the enclave and create another.',
    }));
}
