/** What every protocol of the embedded AWS shares: requests, answers, errors. */
import type { ServerResponse } from 'node:http';
import type { JsonMap } from '../../enclave/json.ts';

export interface LocalRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: string;
}

/** An error an AWS API answers with; the SDK throws it under the name `code`. */
export class ApiError extends Error {
  readonly code: string;
  readonly status: number;

  constructor(code: string, message: string, status = 400) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

/** Operations of one JSON-protocol service, by name. */
export type Operations = Readonly<Record<string, (input: JsonMap) => JsonMap>>;

export function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' });
  response.end(JSON.stringify(body));
}

export function sendApiError(response: ServerResponse, error: ApiError): void {
  response.setHeader('x-amzn-errortype', error.code);
  sendJson(response, error.status, { __type: error.code, message: error.message });
}

/** A required string parameter. */
export function text(input: JsonMap, name: string): string {
  const value = input[name];
  if (typeof value !== 'string') throw new ApiError('ValidationException', `${name} must be a string`);
  return value;
}

export function optionalText(input: JsonMap, name: string): string | undefined {
  const value = input[name];
  return typeof value === 'string' ? value : undefined;
}

/** A page size, within what the API allows; 0 and absence mean the default. */
export function pageSize(input: JsonMap, most: number, byDefault: number): number {
  const value = input.maxResults;
  return typeof value === 'number' && value > 0 ? Math.min(value, most) : byDefault;
}

export function strings(input: JsonMap, name: string): readonly string[] {
  const value = input[name];
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}
