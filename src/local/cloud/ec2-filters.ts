/** Reads parameters of EC2's Query protocol, and filters hosts by them. */
import type { HostState } from '../../reconciler/ports/index.ts';
import { CloudError, type SimHost } from './model.ts';

/** `Name.1`, `Name.2`, … in order. */
export function list(parameters: URLSearchParams, name: string): readonly string[] {
  const values: string[] = [];
  for (let index = 1; ; index += 1) {
    const value = parameters.get(`${name}.${index}`);
    if (value === null) return values;
    values.push(value);
  }
}

export interface Filter {
  readonly name: string;
  readonly matches: (value: string) => boolean;
}

/** `*` is any text, `?` any character, and a backslash makes the next one literal. */
function wildcard(pattern: string): (value: string) => boolean {
  if (!/[*?\\]/.test(pattern)) return (value) => value === pattern;
  const source = pattern.replace(/\\(.)|([*?])|([\s\S])/gu, (_, escaped?: string, wild?: string, plain?: string) => {
    if (wild !== undefined) return wild === '*' ? '[\\s\\S]*' : '[\\s\\S]';
    return (escaped ?? plain ?? '').replace(/[.*+?^${}()|[\]\\/-]/g, '\\$&');
  });
  const expression = new RegExp(`^(?:${source})$`, 'u');
  return (value) => expression.test(value);
}

export function filters(parameters: URLSearchParams): readonly Filter[] {
  const found: Filter[] = [];
  for (let index = 1; ; index += 1) {
    const name = parameters.get(`Filter.${index}.Name`);
    if (name === null) return found;
    const patterns = list(parameters, `Filter.${index}.Value`).map(wildcard);
    found.push({ name, matches: (value) => patterns.some((matches) => matches(value)) });
  }
}

const STATE_CODES: Readonly<Record<HostState, number>> = {
  pending: 0,
  running: 16,
  'shutting-down': 32,
  terminated: 48,
  stopping: 64,
  stopped: 80,
};
export const stateOf = (state: HostState) => ({ code: STATE_CODES[state], name: state });

/** The values of a host a filter looks at: any of them may match. */
function valuesFor(host: SimHost, name: string): readonly string[] {
  if (name.startsWith('tag:')) {
    const key = name.slice('tag:'.length);
    const value = Object.hasOwn(host.tags, key) ? host.tags[key] : undefined;
    return value === undefined ? [] : [value];
  }
  switch (name) {
    case 'tag-key':
      return Object.keys(host.tags);
    case 'instance-state-name':
      return [host.state];
    case 'instance-state-code':
      return [String(STATE_CODES[host.state])];
    case 'instance-id':
    case 'attachment.instance-id':
      return [host.instanceId];
    case 'instance-type':
      return [host.instanceType];
    case 'image-id':
      return [host.amiId];
    default:
      throw new CloudError('InvalidParameterValue', `The filter '${name}' is invalid`);
  }
}

export function passes(host: SimHost, wanted: readonly Filter[]): boolean {
  return wanted.every(({ name, matches }) => valuesFor(host, name).some(matches));
}

/** The hosts a call names. Every one must exist; an empty list means *all*, as in EC2. */
export function named(ids: readonly string[], hosts: Iterable<SimHost>): readonly SimHost[] {
  const all = [...hosts];
  if (ids.length === 0) return all;
  for (const id of ids) {
    if (!/^i-([0-9a-f]{8}|[0-9a-f]{17})$/.test(id)) {
      throw new CloudError('InvalidInstanceID.Malformed', `Invalid id: "${id}"`);
    }
  }
  const byId = new Map(all.map((host) => [host.instanceId, host]));
  const missing = ids.filter((id) => !byId.has(id));
  if (missing.length > 0) {
    const which = missing.length === 1 ? `ID '${missing[0]}' does` : `IDs '${missing.join(', ')}' do`;
    throw new CloudError('InvalidInstanceID.NotFound', `The instance ${which} not exist`);
  }
  return [...new Set(ids)].flatMap((id) => byId.get(id) ?? []);
}

export interface Page<T> {
  readonly items: readonly T[];
  readonly nextToken: string | undefined;
}

/** Pages in order of ids, so that what comes and goes between two calls shifts nothing. */
export function paged<T>(items: readonly T[], idOf: (item: T) => string, parameters: URLSearchParams): Page<T> {
  const size = Number(parameters.get('MaxResults') ?? Number.POSITIVE_INFINITY);
  if (Number.isNaN(size) || size < 5 || (Number.isFinite(size) && size > 1_000)) {
    throw new CloudError('InvalidParameterValue', 'Expecting a value between 5 and 1000 for MaxResults.');
  }
  const token = parameters.get('NextToken');
  const after = token === null ? '' : Buffer.from(token, 'base64url').toString('utf8');
  if (token !== null && !after.startsWith('after ')) {
    throw new CloudError('InvalidPaginationToken', `Invalid value '${token}' for NextToken`);
  }
  const start = after.slice('after '.length);
  const sorted = items.filter((item) => idOf(item) > start).sort((a, b) => (idOf(a) < idOf(b) ? -1 : 1));
  const page = sorted.slice(0, size);
  const last = page.at(-1);
  const more = last !== undefined && sorted.length > page.length;
  return { items: page, nextToken: more ? Buffer.from(`after ${idOf(last)}`).toString('base64url') : undefined };
}
