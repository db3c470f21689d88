/** Address ranges in the one spelling EC2 keeps. */

/**
 * An IPv4 range without host bits (EC2 stores `10.0.0.1/8` as `10.0.0.0/8`, which would then look like drift), an
 * IPv6 one in lower case. Takes what matches `CIDR`.
 */
export function canonicalCidr(cidr: string): string {
  const [address = '', prefix = ''] = cidr.split('/');
  if (address.includes(':')) return cidr.toLowerCase();
  const bits = 32 - Number(prefix);
  const number = address.split('.').reduce((sum, octet) => sum * 256 + Number(octet), 0);
  const network = number - (number % 2 ** bits);
  const octets = [24, 16, 8, 0].map((shift) => Math.floor(network / 2 ** shift) % 256);
  return `${octets.join('.')}/${prefix}`;
}

/** True for the range that holds every address. */
export function isOpenCidr(cidr: string): boolean {
  return cidr.endsWith('/0');
}
