/** Import directions: one rule for each room of scripts/rooms.json, which lists what the room may import. */
const rooms = require('./scripts/rooms.json');

/** `a/b`: the folder with all its rooms; `a/b/*`: the files of the folder itself; `a/b.ts`: one file. */
function pattern(place) {
  if (place.endsWith('/*')) return `^${place.slice(0, -1)}[^/]+$`;
  return place.endsWith('.ts') ? `^${place}$` : `^${place}/`;
}

const rules = rooms.map(({ folder, imports }) => ({
  name: folder,
  comment: `${folder} may import only: ${imports.join(', ') || 'itself'}`,
  severity: 'error',
  from: { path: pattern(folder) },
  to: { path: '^(src|infra|runner|test|scripts)/', pathNot: [folder, ...imports].map(pattern) },
}));

module.exports = {
  forbidden: [
    {
      name: 'no-circular',
      comment: 'A type-only import is gone when the program runs: it closes no circle.',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    { name: 'not-to-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    ...rules,
    {
      name: 'no-sdk-outside-adapters',
      comment: 'The AWS SDK is reached through src/aws, the embedded AWS and the runner only.',
      severity: 'error',
      from: { path: '^(src/(enclave|drift|machines|reconciler)|infra)/' },
      to: { path: 'node_modules/@aws-sdk' },
    },
    {
      name: 'provider-per-resource',
      comment: 'The root index of the provider bindings costs seconds and 600 MB: import lib/<resource>.',
      severity: 'error',
      from: {},
      to: { path: 'node_modules/@cdktf/provider-aws/(index|lib/index)\\.' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    parser: 'swc',
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
  },
};
