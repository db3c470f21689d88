/** Takes out of a message what a stranger must not read: ARNs, account ids, addresses, host names. */
import { isIPv6 } from 'node:net';

const LONGEST_MESSAGE = 600;
/** What lies beyond is not even looked at: a message may hold anything, in any length. */
const LONGEST_INPUT = 4_000;

const HOST_SUFFIXES = /\.(?:com|net|org|io|dev|internal|local|localdomain|aws|cloud|app)(?::\d+)?$/i;

/** Applied in this order; later rules see the replacements. Unanchored repetitions are bounded to keep matching fast. */
const RULES: readonly (readonly [pattern: RegExp, replacement: string | ((found: string) => string)])[] = [
  // The decoded text of a denied call names every principal and resource in it.
  [/Encoded authorization failure message:\s*\S+/gi, ''],
  [/https response error StatusCode: \d+,\s*/gi, ''],
  [/(?:RequestID|HostID|Request ID|request id):?\s*[\w+/=-]+[,.]?\s*/gi, ''],
  [/\barn:aws[\w-]*:[^\s"'`<>)\]}]+/gi, '<arn>'],
  [/\b[a-z][a-z0-9+.-]{1,15}:\/\/[^\s"'<>]+/gi, '<url>'],
  [/[\w.+-]{1,64}@[\w.-]+/g, '<host>'],
  [/[a-z0-9.-]+(?::\d+)?/gi, (token) => (HOST_SUFFIXES.test(token) ? '<host>' : token)],
  [/\bip-\d+-\d+-\d+-\d+\b/gi, '<host>'],
  [/\b\d{1,3}(?:\.\d{1,3}){3}(?:\/\d{1,2})?(?::\d+)?\b/g, '<ip>'],
  [/[0-9a-f:.]{3,}/gi, (token) => (isIPv6(token) ? '<ip>' : token)],
  [/(?<![\w-])\d{12}(?![\w-])/g, '<account>'],
  [/(?<=[_-])\d{12}(?=[_-]|\b)/g, '<account>'],
];

/** One line of at most 600 characters, without any of that. */
export function scrub(message: string): string {
  let text = message.slice(0, LONGEST_INPUT).replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ');
  for (const [pattern, by] of RULES) {
    text = typeof by === 'string' ? text.replace(pattern, by) : text.replace(pattern, by);
  }
  text = text.replace(/ {2,}/g, ' ').trim();
  return text.length <= LONGEST_MESSAGE ? text : `${text.slice(0, LONGEST_MESSAGE - 1)}…`;
}
