/** `enclavectl apply`: writes what the application's POST and PUT would write, where it differs. */
import { PROVIDER_ID, readRecord } from '../../enclave/record.ts';
import type { RawRecord } from '../../reconciler/ports.ts';
import { type Checked, checkDocument, issueLine, specContext, titleOf } from '../check.ts';
import { readDocuments } from '../documents.ts';
import { CliError, EXIT, type ExitCode } from '../exit.ts';
import type { Io } from '../io.ts';
import { printable } from '../output.ts';
import { changedFields, ownersPart } from '../owned-fields.ts';
import { openStore, type Store } from '../store.ts';
import { type GlobalOptions, resolveTarget } from '../target.ts';

interface Options extends GlobalOptions {
  readonly filename: string;
}

export async function apply(io: Io, _args: readonly string[], options: Options): Promise<ExitCode> {
  const target = resolveTarget(io, options);
  const context = specContext(target.config);
  const checked = (await readDocuments(io, options.filename)).map((document) => checkDocument(document, context));
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
  const ids = checked.map(({ id }) => id);
  const twice = ids.filter((id, index) => id !== null && ids.indexOf(id) !== index);
  for (const id of new Set(twice)) io.err(`${printable(String(id))}: more than one document has this id\n`);
  const warnings = checked.reduce((sum, document) => sum + document.warnings.length, 0);
  if (warnings > 0) io.err(`${warnings} warning${warnings === 1 ? '' : 's'}: \`enclavectl validate\` shows them\n`);
  if (invalid.length === 0 && twice.length === 0) return true;
  io.err('nothing was written\n');
  return false;
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
