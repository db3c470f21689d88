/** User data of a host: the constant bootstrap. Nothing of a spec is in it, so that no change of one ever touches it. */
import { readFileSync } from 'node:fs';

export interface UserDataOptions {
  readonly enclaveId: string;
  readonly region: string;
  /** Bucket and key of the configuration object that the agent follows. */
  readonly configurationBucket: string;
  readonly configurationKey: string;
  /** The agent's bundle, pinned by its digest for the life of the host. */
  readonly agentBucket: string;
  readonly agentKey: string;
  /** 64 hexadecimal digits. */
  readonly agentSha256: string;
}

/** EC2's limit, before its own encoding. */
export const USER_DATA_LIMIT = 16_384;

const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
const KEY = /^[A-Za-z0-9_][A-Za-z0-9_./=-]{0,511}$/;

/** What each value may be: no character of them means anything to a shell, to systemd or to Terraform. */
const FORMS = {
  enclaveId: /^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/,
  region: /^[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}$/,
  configurationBucket: BUCKET,
  configurationKey: KEY,
  agentBucket: BUCKET,
  agentKey: KEY,
  agentSha256: /^[0-9a-f]{64}$/,
} as const satisfies Record<keyof UserDataOptions, RegExp>;

const VARIABLES = {
  enclaveId: 'ENCLAVE_ID',
  region: 'REGION',
  configurationBucket: 'CONFIGURATION_BUCKET',
  configurationKey: 'CONFIGURATION_KEY',
  agentBucket: 'AGENT_BUCKET',
  agentKey: 'AGENT_KEY',
  agentSha256: 'AGENT_SHA256',
} as const satisfies Record<keyof UserDataOptions, string>;

/**
 * A script for cloud-init, which runs it once and never again: it only writes the unit that fetches the agent, and
 * the unit retries. Everything it writes is base64, so that no text of it can be taken for a template.
 *
 * Errors: a value that is not of its form, named with the form it should have.
 */
export function userData(options: UserDataOptions): string {
  const environment = Object.entries(VARIABLES).map(([field, variable]) => {
    const key = field as keyof UserDataOptions;
    const value = options[key];
    if (!FORMS[key].test(value)) {
      throw new TypeError(`user data: ${key} must match ${FORMS[key]}, and is ${JSON.stringify(value)}`);
    }
    return `${variable}=${value}\n`;
  });
  const text = [
    '#!/bin/bash',
    '# Installs the unit that fetches the host agent, and nothing else: cloud-init never retries, units do.',
    'set -eu',
    'umask 022',
    'mkdir -p /etc/enclave /usr/local/libexec /var/log/enclave',
    ...file('/etc/enclave/host.env', environment.join('')),
    ...file('/usr/local/libexec/enclave-bootstrap', source('bootstrap')),
    'chmod 0755 /usr/local/libexec/enclave-bootstrap',
    ...file('/etc/systemd/system/enclave-bootstrap.service', source('enclave-bootstrap.service')),
    'systemctl daemon-reload',
    'systemctl enable --now --no-block enclave-bootstrap.service',
    '',
  ].join('\n');
  if (Buffer.byteLength(text) >= USER_DATA_LIMIT) {
    throw new RangeError(`user data: ${Buffer.byteLength(text)} bytes; EC2 takes less than ${USER_DATA_LIMIT}`);
  }
  return text;
}

function source(name: string): string {
  return readFileSync(new URL(`bootstrap/${name}`, import.meta.url), 'utf8');
}

function file(path: string, content: string): string[] {
  const lines =
    Buffer.from(content)
      .toString('base64')
      .match(/.{1,76}/g) ?? [];
  return [`base64 -d >${path} <<'BASE64'`, ...lines, 'BASE64'];
}
