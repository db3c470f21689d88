/** `npm run bootstrap | synth | deploy | destroy -- --env NAME`: the platform's commands. */
import { run } from './program.ts';
import { terminal } from './terminal.ts';

process.exitCode = await run(process.argv.slice(2), terminal);
