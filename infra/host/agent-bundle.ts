/** The agent's bundle: everything in `agent/`, as one archive that is the same wherever it is made. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { create } from 'tar';

export interface AgentBundle {
  /** Key of the object in each region's configuration bucket; it names the digest, so that no bundle replaces another. */
  readonly key: string;
  /** 64 hexadecimal digits. */
  readonly sha256: string;
  /** What the agent says of itself in its reports. */
  readonly version: string;
  /** A gzipped tar archive. */
  readonly bytes: Uint8Array;
}

const SOURCES = fileURLToPath(new URL('agent', import.meta.url));

export function agentBundle(): AgentBundle {
  const files = readdirSync(SOURCES, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(SOURCES, join(entry.parentPath, entry.name)))
    .sort();
  // `portable` leaves out owners and the umask; with one time for all, equal sources give equal bytes.
  const archive = create({ sync: true, cwd: SOURCES, portable: true, gzip: true, mtime: new Date(0) }, files);
  const bytes = archive.read();
  if (bytes === null || bytes === undefined) throw new Error(`no host agent in ${SOURCES}`);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const version = readFileSync(join(SOURCES, 'version'), 'utf8').trim();
  return { key: `agents/${sha256}.tar.gz`, sha256, version, bytes };
}
