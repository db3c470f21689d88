/** What went wrong between here and DynamoDB, in one line that names the endpoint and a fix. */
import { operatorError } from '../aws/errors.ts';
import { OperatorError } from '../reconciler/ports/index.ts';
import { CliError, EXIT, type ExitCode } from './exit.ts';

interface Where {
  readonly table: string;
  readonly region: string;
  readonly endpoint: string | undefined;
}

/** An SDK failure as an error for the user; a `CliError` comes back as it is. */
export function explainFailure(error: unknown, where: Where): CliError {
  if (error instanceof CliError) return error;
  const place = where.endpoint ?? `DynamoDB in ${where.region}`;
  const fail = (exitCode: ExitCode, text: string) => new CliError(exitCode, text, { cause: error });
  const { name, message } = error instanceof Error ? error : { name: 'Error', message: String(error) };
  switch (name) {
    case 'CredentialsProviderError':
    case 'TokenProviderError':
      return fail(
        EXIT.unreachable,
        `no AWS credentials for ${place}: start the local stack with \`npm start\`, or sign in to AWS (AWS_PROFILE)`,
      );
    case 'ExpiredTokenException':
    case 'UnrecognizedClientException':
    case 'InvalidSignatureException':
      return fail(EXIT.unreachable, `${place} does not take these AWS credentials (${name}): sign in to AWS again`);
    case 'AccessDeniedException':
      return fail(EXIT.refused, `AWS refuses access to table ${where.table} in ${where.region}: ${message}`);
    case 'ResourceNotFoundException':
      return fail(
        EXIT.usage,
        `${place} has no table ${where.table} in region ${where.region}: check --region, --environment and --prefix, ` +
          'or name the table (--enclaves-table, --state-table, --history-table)',
      );
  }
  const known = operatorError('dynamodb', where.table, error);
  if (known instanceof OperatorError && known.class === 'Transient') {
    const code = (error as NodeJS.ErrnoException).code ?? name;
    return fail(
      EXIT.unreachable,
      `cannot reach ${place} (${code}): start the local stack with \`npm start\`, ` +
        'or check --endpoint, AWS_ENDPOINT_URL_DYNAMODB and the network',
    );
  }
  return fail(EXIT.usage, `${place}, table ${where.table}: ${name}: ${message.split('\n', 1)[0]}`);
}
