/** Policy documents and ARNs, as IAM reads them. */
import type { PlatformFacts } from './platform-facts.ts';

export interface Statement {
  readonly Sid: string;
  readonly Effect: 'Allow';
  readonly Principal?: Readonly<Record<string, string | readonly string[]>>;
  readonly Action: readonly string[];
  /** Absent in a role's trust policy alone. */
  readonly Resource?: readonly string[];
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>;
}

export interface PolicyDocument {
  readonly Version: '2012-10-17';
  readonly Statement: readonly Statement[];
}

export function policy(statements: readonly Statement[]): PolicyDocument {
  return { Version: '2012-10-17', Statement: statements };
}

/** Text that means itself in a resource: `*`, `?` and `$` would otherwise be patterns and variables. */
export function literal(text: string): string {
  return text.replace(/[*?$]/g, (character) => `\${${character}}`);
}

/** The ARN of an object, from its `s3://bucket/key`. */
export function objectArn({ partition }: Pick<PlatformFacts, 'partition'>, uri: string): string {
  return `arn:${partition}:s3:::${literal(uri.slice('s3://'.length))}`;
}

export function regionOfArn(arn: string): string {
  return arn.split(':')[3] ?? '';
}
