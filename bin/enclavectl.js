#!/usr/bin/env node
/* Refuses a Node that is too old with one line; else loads the program.
 *
 * Written so that every Node parses it, whether it reads the file as a script or as a module: no import statement,
 * no import.meta, no new syntax. What needs a current Node is in load.js, imported after the check. */
var version = process.version.replace(/^v/, '').split('.').map(Number);
if (version[0] < 22 || (version[0] === 22 && version[1] < 18)) {
  process.stderr.write(
    `enclavectl: Node ${process.version} is too old: install Node 22.18 or newer (https://nodejs.org).\n`,
  );
  process.exitCode = 2;
} else {
  void import('./load.js');
}
