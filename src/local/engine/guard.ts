/** Loaded before a child's program: the child dies with its parent, and what it has started with it. */

function die(): void {
  try {
    // A task has a process group of its own, as a container has its processes.
    process.kill(-process.pid, 'SIGKILL');
  } catch {
    process.kill(process.pid, 'SIGKILL');
  }
}

// The parent holds the other end of standard input. It ends when the parent is gone, however that came about; a child
// that lived on would be a task that ECS no longer knows.
process.stdin.on('end', die);
process.stdin.on('error', die);
process.stdin.resume();
if ('unref' in process.stdin && typeof process.stdin.unref === 'function') process.stdin.unref();
