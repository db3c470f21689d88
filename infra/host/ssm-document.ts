/** SSM documents of the hosts: fixed commands, one document each, without a parameter that could reach a shell. */

export const HOST_COMMANDS = ['restart-enclave', 'restart-allocator', 'report-now', 'apply-configuration'] as const;
export type HostCommand = (typeof HOST_COMMANDS)[number];

/** Content of a document of type Command, schema 2.2. */
export interface SsmDocument {
  readonly schemaVersion: '2.2';
  readonly description: string;
  readonly mainSteps: readonly [
    {
      readonly action: 'aws:runShellScript';
      readonly name: string;
      readonly precondition: { readonly StringEquals: readonly ['platformType', 'Linux'] };
      /** `timeoutSeconds` is text in this schema. */
      readonly inputs: { readonly timeoutSeconds: string; readonly runCommand: readonly [string] };
    },
  ];
}

const DESCRIPTIONS: Readonly<Record<HostCommand, string>> = {
  'restart-enclave': 'Terminates the enclave of the host, waits until it is gone, and starts it.',
  'restart-allocator': "Reserves the enclave's cores and memory anew, and starts the enclave.",
  'report-now': 'Has the host report.',
  'apply-configuration': 'Has the host fetch its configuration and carry it out.',
};

/** Building an image may take long; a command that is cut off is taken up by the host itself. */
const TIMEOUT_SECONDS = 3_600;

/** Name of the document for a command: the operator and the platform stack must agree on it. */
export function ssmDocumentName(prefix: string, command: HostCommand): string {
  return `${prefix}-${command}`;
}

export function ssmDocument(command: HostCommand): SsmDocument {
  return {
    schemaVersion: '2.2',
    description: DESCRIPTIONS[command],
    mainSteps: [
      {
        action: 'aws:runShellScript',
        name: 'command',
        precondition: { StringEquals: ['platformType', 'Linux'] },
        inputs: {
          timeoutSeconds: String(TIMEOUT_SECONDS),
          runCommand: [`/usr/local/lib/enclave-agent/current/bin/command ${command}`],
        },
      },
    ],
  };
}
