/** Takes out of a message what a stranger must not read: ARNs, account ids, addresses, host names. */

const LONGEST_MESSAGE = 600;

const HOST_SUFFIXES = 'com|net|org|io|dev|internal|local|localdomain|aws|cloud|app';

/** In this order: what an earlier one has replaced, no later one sees. */
const RULES: readonly (readonly [pattern: RegExp, replacement: string])[] = [
  // The decoded text of a denied call names every principal and resource in it.
  [/Encoded authorization failure message:\s*\S+/gi, ''],
  [/https response error StatusCode: \d+,\s*/gi, ''],
  [/(?:RequestID|HostID|Request ID|request id):?\s*[\w+/=-]+[,.]?\s*/gi, ''],
  [/\barn:aws[\w-]*:[^\s"'`<>)\]}]+/gi, '<arn>'],
  [/\b[a-z][a-z0-9+.-]*:\/\/[^\s"'<>]+/gi, '<url>'],
  [/[\w.+-]+@[\w.-]+/g, '<host>'],
  [new RegExp(`\\b(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\\.)+(?:${HOST_SUFFIXES})\\b(?::\\d+)?`, 'gi'), '<host>'],
  [/\bip-\d+-\d+-\d+-\d+\b/gi, '<host>'],
  [/\b\d{1,3}(?:\.\d{1,3}){3}(?:\/\d{1,2})?(?::\d+)?\b/g, '<ip>'],
  [/(?<![\w:])\[?(?:[0-9a-f]{1,4}:){2,7}[0-9a-f]{0,4}(?::[0-9a-f]{1,4})*\]?(?![\w:])/gi, '<ip>'],
  [/(?<![\w-])\d{12}(?![\w-])/g, '<account>'],
  [/(?<=[_-])\d{12}(?=[_-]|\b)/g, '<account>'],
];

/** One line of at most 600 characters, without any of that. */
export function scrub(message: string): string {
  let text = message.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ');
  for (const [pattern, replacement] of RULES) text = text.replace(pattern, replacement);
  text = text.replace(/ {2,}/g, ' ').trim();
  return text.length <= LONGEST_MESSAGE ? text : `${text.slice(0, LONGEST_MESSAGE - 1)}…`;
}
