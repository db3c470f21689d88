/** Loaded before a child's program: the child dies with its parent. */

// The parent holds the other end of standard input. It ends when the parent is gone, however that came about; a child
// that lived on would be a task that ECS no longer knows.
process.stdin.on('end', () => process.kill(process.pid, 'SIGKILL'));
process.stdin.on('error', () => process.kill(process.pid, 'SIGKILL'));
process.stdin.resume();
if ('unref' in process.stdin && typeof process.stdin.unref === 'function') process.stdin.unref();
