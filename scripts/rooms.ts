/** The rooms of the sources: what each holds and may import. Lint enforces scripts/rooms.json. */
import { readFileSync } from 'node:fs';
import rooms from './rooms.json' with { type: 'json' };

export interface Room {
  /** `a/b`: the folder with all that is in it; `a/b/*`: the files of the folder itself. */
  readonly folder: string;
  readonly holds: string;
  readonly imports: readonly string[];
}

export const ROOMS: readonly Room[] = rooms;

/** The rooms that claim a source file, by its path from the root of the repository. */
export function roomsOf(path: string): readonly Room[] {
  const parent = path.slice(0, path.lastIndexOf('/'));
  return ROOMS.filter(({ folder }) => {
    if (folder.endsWith('/*')) return parent === folder.slice(0, -2);
    const isFurtherIn = ROOMS.some(
      (other) => other.folder.startsWith(`${folder}/`) && path.startsWith(`${other.folder}/`),
    );
    return path.startsWith(`${folder}/`) && !isFurtherIn;
  });
}

const BEGIN = '<!-- rooms: generated from scripts/rooms.json by `npm run docs` -->';
const END = '<!-- end of rooms -->';

/** CONTRIBUTING.md with its table of rooms as scripts/rooms.json has it. */
export function contributingWithRooms(): string {
  const text = readFileSync(new URL('../CONTRIBUTING.md', import.meta.url), 'utf8');
  const [from, to] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (from < 0 || to < from) throw new Error(`CONTRIBUTING.md lacks the lines ${BEGIN} and ${END}`);
  return `${text.slice(0, from)}${BEGIN}\n${table()}\n${text.slice(to)}`;
}

function table(): string {
  const rows = ROOMS.map(({ folder, holds, imports }) => {
    const may = imports.length === 0 ? 'nothing' : imports.map((place) => `\`${place}\``).join(', ');
    return `| \`${folder}\` | ${holds} | ${may} |`;
  });
  return ['| room | holds | may import |', '| --- | --- | --- |', ...rows].join('\n');
}
