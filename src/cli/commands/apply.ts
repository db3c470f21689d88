/** `enclavectl apply`: writes what the application's POST and PUT would write, where it differs. */
import { PROVIDER_ID, readRecord } from '../../enclave/record.ts';
import type { RawRecord } from '../../reconciler/ports/index.ts';
import { type Checked, checkFiles, issueLine, titleOf } from '../check.ts';
import { againstApplied } from '../check-applied.ts';
import { CliError, EXIT, type ExitCode } from '../exit.ts';
import type { Io } from '../io.ts';
import { changedFields, ownersPart } from '../owned-fields.ts';
import { openStore, type Store } from '../store.ts';
import { type GlobalOptions, resolveTarget } from '../target.ts';

interface Options extends GlobalOptions {
  readonly filename: readonly string[];
}

/** Warnings printed; more would push the answers off the screen. */
const MOST_WARNINGS = 20;

export async function apply(io: Io, _args: readonly string[], options: Options): Promise<ExitCode> {
  const target = resolveTarget(io, options);
  const checked = await againstApplied(await checkFiles(io, options.filename, target.config), target);
  if (!report(io, checked)) return EXIT.no;

  const store = openStore(target);
  try {
    let worst: ExitCode = EXIT.yes;
    for (const { id, record } of checked) {
      if (id === null || record === undefined) continue;
      try {
        io.out(`${id}: ${await applyRecord(io, store, { ...record, id })}\n`);
      } catch (error) {
        if (!(error instanceof CliError) || error.exitCode === EXIT.unreachable) throw error;
        io.err(`enclavectl: ${error.message}\n`);
        worst = error.exitCode > worst ? error.exitCode : worst;
      }
    }
    return worst;
  } finally {
    store.close();
  }
}

/** All errors of all documents; false where there are any, and then nothing is written. */
function report(io: Io, checked: readonly Checked[]): boolean {
  const invalid = checked.filter(({ spec }) => spec === undefined);
  for (const document of invalid) {
    io.err(`${titleOf(document)}: invalid\n${document.errors.map((issue) => issueLine('error', issue)).join('')}`);
  }
  io.err(warningText(checked));
  if (invalid.length === 0) return true;
  io.err('nothing was written\n');
  return false;
}

/** At most 20 warnings of all documents; the last line counts the rest. */
function warningText(checked: readonly Checked[]): string {
  const all = checked.flatMap((document) => document.warnings.map((issue) => ({ title: titleOf(document), issue })));
  const lines = all.slice(0, MOST_WARNINGS).map(({ title, issue }, index, shown) => {
    const heading = shown[index - 1]?.title === title ? '' : `${title}:\n`;
    return `${heading}${issueLine('warning', issue)}`;
  });
  const left = all.length - lines.length;
  const rest =
    left > 0 ? `… ${left} more warning${left === 1 ? '' : 's'}; run \`enclavectl validate -f FILE\` to see all\n` : '';
  return `${lines.join('')}${rest}`;
}

/** What was done, in one word or two. */
export async function applyRecord(io: Io, store: Store, document: RawRecord): Promise<string> {
  const { id } = document;
  const now = new Date(io.clock.now()).toISOString();
  const given = ownersPart(document);
  const stored = await store.record(id);

  if (stored === undefined) {
    const record = {
      providerId: PROVIDER_ID,
      providerConfig: {},
      ...given,
      id,
      status: 'PENDING_DEPLOY',
      createdAt: now,
      updatedAt: now,
    };
    if ((await store.create(record)) === 'exists') throw changedMeanwhile(id);
    return 'created';
  }

  const { status } = readRecord(stored);
  if (given.walletAddress !== undefined && given.walletAddress !== stored.walletAddress) {
    throw new CliError(EXIT.refused, `${id} belongs to another walletAddress: take another id, or the owner's address`);
  }
  if (status === 'PENDING_DESTROY' || status === 'DESTROYING') {
    throw new CliError(EXIT.refused, `${id} is being destroyed: apply it again when it is DESTROYED`);
  }
  const changed = changedFields(document, stored);
  const again = status === 'DESTROYED';
  if (Object.keys(changed).length === 0 && !again) return 'unchanged';

  const set = { ...changed, ...(again ? { status: 'PENDING_DEPLOY' } : {}), updatedAt: now };
  // The application's condition is the owner; a changed status matters only where one is written.
  const read = { walletAddress: stored.walletAddress, ...(again ? { status: stored.status } : {}) };
  if ((await store.update(id, set, read)) === 'conflict') throw changedMeanwhile(id);
  return again ? 'deployed again' : `updated (${Object.keys(changed).join(', ')})`;
}

function changedMeanwhile(id: string): CliError {
  return new CliError(EXIT.refused, `${id} changed meanwhile: apply it again`);
}
