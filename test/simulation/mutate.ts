/** Loads a module of the controller with a mutation, into this thread alone: nothing on disk changes. */
import { registerHooks } from 'node:module';
import { pathToFileURL } from 'node:url';
import type { Mutant } from './mutants.ts';

/** Must be called before the controller is imported. Throws, at that import, where the text is not there once. */
export function mutate({ name, file, find, replace }: Mutant): void {
  const target = pathToFileURL(file).href;
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context);
      if (url !== target) return loaded;
      const source = loaded.source == null ? '' : Buffer.from(loaded.source as Uint8Array).toString();
      const parts = source.split(find);
      if (parts.length !== 2) throw new Error(`mutant "${name}": ${file} holds its text ${parts.length - 1} times`);
      return { ...loaded, source: parts.join(replace) };
    },
  });
}
