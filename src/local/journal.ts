/** A small map on disk: one JSON line a change. */
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { isPlainMap, type JsonValue } from '../enclave/json.ts';

export interface Journal {
  /** The present state; read it, change it through `set` and `delete` only. */
  readonly entries: ReadonlyMap<string, JsonValue>;
  set(key: string, value: JsonValue): void;
  delete(key: string): void;
  close(): void;
}

/** Appended lines beyond this multiple of the entries make the file be rewritten. */
const SLACK = 4;
const MINIMUM_LINES = 1_000;

function parseLine(line: string): { key: string; value: JsonValue | undefined } | undefined {
  try {
    const parsed: unknown = JSON.parse(line);
    if (!isPlainMap(parsed) || typeof parsed.k !== 'string') return undefined;
    return { key: parsed.k, value: parsed.v };
  } catch {
    return undefined;
  }
}

/** Lines that do not parse (the last one, torn by a crash) are left out. */
function load(file: string): Map<string, JsonValue> {
  const entries = new Map<string, JsonValue>();
  if (!existsSync(file)) return entries;
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    const change = parseLine(line);
    if (change === undefined) continue;
    if (change.value === undefined) entries.delete(change.key);
    else entries.set(change.key, change.value);
  }
  return entries;
}

/** Writes the state anew beside the old file and renames it over: a crash leaves one of the two, whole. */
function compact(file: string, entries: ReadonlyMap<string, JsonValue>): number {
  const temporary = `${file}.new`;
  const target = openSync(temporary, 'w');
  let lines = '';
  for (const [key, value] of entries) lines += `${JSON.stringify({ k: key, v: value })}\n`;
  writeFileSync(target, lines);
  fsyncSync(target);
  closeSync(target);
  renameSync(temporary, file);
  return openSync(file, 'a');
}

/**
 * Opens a journal, creating it and its folder.
 *
 * Guarantees: a change is with the operating system when `set` or `delete` returns, so it survives the death of this
 * process. Assumes one writer. Caveat: not synced to the disk at each change, so a power cut may lose the last ones.
 */
export function openJournal(file: string): Journal {
  mkdirSync(dirname(file), { recursive: true });
  const entries = load(file);
  let descriptor = compact(file, entries);
  let lines = entries.size;

  const append = (line: string) => {
    writeSync(descriptor, `${line}\n`);
    lines += 1;
    if (lines <= MINIMUM_LINES || lines <= entries.size * SLACK) return;
    closeSync(descriptor);
    descriptor = compact(file, entries);
    lines = entries.size;
  };

  return {
    entries,
    set(key, value) {
      entries.set(key, value);
      append(JSON.stringify({ k: key, v: value }));
    },
    delete(key) {
      if (entries.delete(key)) append(JSON.stringify({ k: key }));
    },
    close() {
      closeSync(descriptor);
    },
  };
}
