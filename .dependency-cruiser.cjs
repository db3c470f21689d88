/** Import directions: enclave <- drift <- machines <- reconciler <- aws, local <- cli. One rule a folder, listing what it may import. */
const only = (name, from, allowed) => ({
  name,
  comment: `${from} may import only: ${allowed.join(', ') || 'itself'}`,
  severity: 'error',
  from: { path: `^${from}/` },
  to: { path: '^(src|infra|runner|test|scripts)/', pathNot: [from, ...allowed].map((folder) => `^${folder}/`) },
});

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
    only('enclave-is-pure', 'src/enclave', []),
    only('drift-is-pure', 'src/drift', ['src/enclave']),
    only('machines-are-pure', 'src/machines', ['src/enclave', 'src/drift']),
    only('reconciler-owns-its-ports', 'src/reconciler', ['src/enclave', 'src/drift', 'src/machines']),
    only('aws-adapts-ports', 'src/aws', ['src/enclave', 'src/machines', 'src/reconciler']),
    only('local-composes', 'src/local', [
      'src/enclave',
      'src/machines',
      'src/reconciler',
      'src/aws',
      'infra/workflows',
      'runner',
    ]),
    only('cli-is-on-top', 'src/cli', ['src']),
    only('workflows-are-typed-documents', 'infra/workflows', ['src/enclave']),
    only('host-agent', 'infra/host', ['src/enclave']),
    only('enclave-stack', 'infra/enclave', ['src/enclave', 'infra/host']),
    only('platform-stack', 'infra/platform', ['src/enclave', 'infra/workflows', 'infra/enclave', 'infra/host']),
    only('runner-stands-alone', 'runner', ['src/enclave', 'infra/enclave']),
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
