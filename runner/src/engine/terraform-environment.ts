/** The environment Terraform gets: an explicit list, never the runner's own. */

/** Credentials, endpoints and where things lie. Whatever else the task has is none of Terraform's business. */
const INHERITED: ReadonlySet<string> = new Set([
  'PATH',
  'HOME',
  'TMPDIR',
  'HTTPS_PROXY',
  'NO_PROXY',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'AWS_CA_BUNDLE',
  'AWS_REGION',
  'AWS_DEFAULT_REGION',
  'AWS_ACCESS_KEY_ID',
  'AWS_SECRET_ACCESS_KEY',
  'AWS_SESSION_TOKEN',
  'AWS_CONFIG_FILE',
  'AWS_SHARED_CREDENTIALS_FILE',
  'AWS_CONTAINER_CREDENTIALS_RELATIVE_URI',
  'AWS_CONTAINER_CREDENTIALS_FULL_URI',
  'AWS_CONTAINER_AUTHORIZATION_TOKEN',
  'AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE',
  'AWS_EC2_METADATA_DISABLED',
  // Go's trade of memory for time, in Terraform and its provider.
  'GOGC',
  'GOMEMLIMIT',
]);
const ENDPOINT = /^AWS_ENDPOINT_URL(?:_[A-Z0-9_]+)?$/;

export function terraformEnvironment(
  own: Readonly<Record<string, string | undefined>>,
  place: { readonly dataDir: string; readonly cliConfigFile: string },
): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const [name, value] of Object.entries(own)) {
    if (value !== undefined && value !== '' && (INHERITED.has(name) || ENDPOINT.test(name))) environment[name] = value;
  }
  return {
    ...environment,
    TF_CLI_CONFIG_FILE: place.cliConfigFile,
    TF_DATA_DIR: place.dataDir,
    TF_IN_AUTOMATION: '1',
    TF_INPUT: '0',
    CHECKPOINT_DISABLE: '1',
  };
}
