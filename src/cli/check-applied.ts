/** Documents checked against what their enclaves run. Beside `check.ts`, which needs no database: `validate` starts faster. */
import { appliedSpec } from '../enclave/spec/applied.ts';
import { type Checked, checkRecord, specContext } from './check.ts';
import { openStore } from './store.ts';
import type { Target } from './target.ts';

/**
 * The documents that only the allow list refuses, checked again against what their enclaves run: an applied reference
 * may stay. The store is opened for those alone, so that everything else is refused without a database.
 */
export async function againstApplied(checked: readonly Checked[], target: Target): Promise<readonly Checked[]> {
  const isRefusedByList = ({ errors }: Checked) =>
    errors.length > 0 && errors.every(({ code }) => code === 'REFERENCE_NOT_ALLOWED');
  if (!checked.some(isRefusedByList)) return checked;
  const context = { ...specContext(target.config), refusesUnknownFields: true };
  const store = openStore(target);
  try {
    return await Promise.all(
      checked.map(async (each) => {
        if (!isRefusedByList(each) || each.id === null || each.record === undefined) return each;
        const applied = appliedSpec(await store.lifecycle(each.id));
        return checkRecord(each.where, each.record, context, applied);
      }),
    );
  } finally {
    store.close();
  }
}
