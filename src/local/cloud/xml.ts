/** Just enough XML for answers of the Query protocols. */

/** Members of an array are `<item>`s, or as the protocol names them; undefined members vanish. */
export type XmlValue = string | number | boolean | XmlMap | readonly XmlValue[] | undefined;
export interface XmlMap {
  readonly [name: string]: XmlValue;
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
};

/** XML 1.0 cannot hold most control characters at all, not even escaped. */
function isForbidden(code: number): boolean {
  return (code < 0x20 && code !== 0x9 && code !== 0xa && code !== 0xd) || code === 0xfffe || code === 0xffff;
}

function escapeText(value: string): string {
  let safe = '';
  for (const character of value.toWellFormed()) {
    safe += isForbidden(character.codePointAt(0) ?? 0) ? '\uFFFD' : (ENTITIES[character] ?? character);
  }
  return safe;
}

function content(value: Exclude<XmlValue, undefined>, item: string): string {
  if (typeof value !== 'object') return escapeText(String(value));
  if (Array.isArray(value)) return value.map((each) => element(item, each, item)).join('');
  return Object.entries(value)
    .map(([name, member]) => element(name, member, item))
    .join('');
}

function element(name: string, value: XmlValue, item: string): string {
  return value === undefined ? '' : `<${name}>${content(value, item)}</${name}>`;
}

export function document(root: string, value: XmlMap, namespace?: string, item = 'item'): string {
  const open = namespace === undefined ? root : `${root} xmlns="${namespace}"`;
  return `<?xml version="1.0" encoding="UTF-8"?>\n<${open}>${content(value, item)}</${root}>`;
}
