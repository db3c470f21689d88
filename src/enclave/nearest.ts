/** The nearest known name, for "did you mean". */

/** Names longer than this are not typing errors, and comparing them would cost time. */
const LONGEST = 40;

/** Edits (insert, delete, replace, swap of neighbours) from `a` to `b`; anything above `limit` is `limit + 1`. */
function distance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return limit + 1;
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1];
      let edits = Math.min(
        (last[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (last[column - 1] ?? 0) + (same ? 0 : 1),
      );
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]) {
        edits = Math.min(edits, (beforeLast[column - 2] ?? 0) + 1);
      }
      current.push(edits);
    }
    beforeLast = last;
    last = current;
  }
  return Math.min(last[b.length] ?? 0, limit + 1);
}

/** The candidate with the fewest edits, the first of equals; undefined where none is close enough to be meant. */
export function nearest(
  name: string,
  candidates: Iterable<string>,
  mostEdits = Math.max(1, Math.floor(name.length / 2)),
): string | undefined {
  if (name.length > LONGEST) return undefined;
  const wanted = name.toLowerCase();
  let limit = mostEdits;
  let found: string | undefined;
  for (const candidate of candidates) {
    const edits = distance(wanted, candidate.toLowerCase(), limit);
    if (edits <= limit && (found === undefined || edits < limit)) {
      found = candidate;
      limit = edits;
      if (edits === 0) break;
    }
  }
  return found;
}
