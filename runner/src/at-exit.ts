/** What must not outlive this process, however it ends by itself. One listener, whatever their number. */

const endings = new Set<() => void>();
process.on('exit', () => {
  for (const ending of endings) ending();
});

/** Returns a function that takes it back. */
export function atExit(ending: () => void): () => void {
  endings.add(ending);
  return () => void endings.delete(ending);
}
