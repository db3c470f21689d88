/** Records from a file or stdin: YAML or JSON, one or many documents. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { isPlainMap, type JsonMap } from '../enclave/json.ts';
import { CliError, EXIT } from './exit.ts';
import type { Io } from './io.ts';

/** One document, and where it stands: for messages. */
export type RecordDocument =
  | { readonly where: string; readonly record: JsonMap }
  /** No record could be read of it. */
  | { readonly where: string; readonly record: undefined; readonly code: 'SYNTAX' | 'TYPE'; readonly problem: string };

/**
 * Reads the documents of several files, in order.
 *
 * Errors: as {@link readDocuments}; and where a file, or stdin, is named twice.
 */
export async function readAllDocuments(io: Io, filenames: readonly string[]): Promise<readonly RecordDocument[]> {
  const pathOf = (filename: string) => (filename === '-' ? filename : resolve(io.cwd, filename));
  const paths = filenames.map(pathOf);
  const again = filenames.find((filename, index) => paths.indexOf(pathOf(filename)) !== index);
  if (again !== undefined) throw new CliError(EXIT.usage, `-f names ${again} twice: name each file once`);
  const documents: RecordDocument[] = [];
  for (const filename of filenames) documents.push(...(await readDocuments(io, filename)));
  return documents;
}

/**
 * Reads every document; a JSON array counts as its elements.
 *
 * Errors: `CliError` where there is no such file, or nothing in it. What is in it and cannot be read is a document with
 * a problem.
 */
export async function readDocuments(io: Io, filename: string): Promise<readonly RecordDocument[]> {
  const name = filename === '-' ? 'stdin' : filename;
  const read = parse(await readText(io, filename));
  if (read.length === 0) throw new CliError(EXIT.usage, `${name} holds no record`);
  return read.map((document, index): RecordDocument => {
    const where = read.length === 1 ? name : `${name}, document ${index + 1}`;
    if ('syntax' in document) return { where, record: undefined, code: 'SYNTAX', problem: document.syntax };
    const { value } = document;
    if (!isPlainMap(value)) return { where, record: undefined, code: 'TYPE', problem: 'is not a map of fields' };
    const problem = notJson(value);
    return problem === undefined ? { where, record: value } : { where, record: undefined, code: 'TYPE', problem };
  });
}

async function readText(io: Io, filename: string): Promise<string> {
  if (filename === '-') return io.readStdin();
  try {
    return readFileSync(resolve(io.cwd, filename), 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const reason = code === 'ENOENT' ? 'there is no such file' : code === 'EISDIR' ? 'it is a folder' : String(code);
    throw new CliError(EXIT.usage, `cannot read ${filename}: ${reason}`);
  }
}

type Parsed = { readonly value: unknown } | { readonly syntax: string };

function parse(text: string): readonly Parsed[] {
  if (/^\s*[[{]/.test(text)) {
    try {
      const value: unknown = JSON.parse(text);
      return (Array.isArray(value) ? value : [value]).map((element) => ({ value: element }));
    } catch {
      // YAML's flow style begins like JSON, and YAML's messages name the line.
    }
  }
  const documents = parseAllDocuments(text);
  if (!Array.isArray(documents)) return [];
  return documents.flatMap((document): Parsed[] => {
    const [error] = document.errors;
    if (error !== undefined) return [{ syntax: firstLine(error) }];
    try {
      const value: unknown = document.toJS();
      // After the last `---`, and between two, there is often nothing.
      return value === null || value === undefined ? [] : [{ value }];
    } catch (aliases) {
      // Aliases that would unfold into gigabytes.
      return [{ syntax: firstLine(aliases) }];
    }
  });
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n', 1)[0]?.replace(/:$/, '') ?? '';
}

/** YAML has values that neither JSON nor a table holds; undefined where all is well. */
function notJson(value: unknown, path = ''): string | undefined {
  if (typeof value === 'number' && !Number.isFinite(value)) return `${path} is ${value}, which is not a number`;
  if (typeof value === 'bigint') return `${path} is a number too large`;
  if (value instanceof Date || value instanceof Uint8Array) return `${path} is neither text nor a number`;
  if (typeof value !== 'object' || value === null) return undefined;
  for (const [key, member] of Object.entries(value)) {
    const odd = notJson(member, path === '' ? key : `${path}.${key}`);
    if (odd !== undefined) return odd;
  }
  return undefined;
}
