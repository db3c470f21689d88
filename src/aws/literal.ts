/** Text that means itself in a filter of EC2: `*` and `?` are wildcards there, and an id may hold them. */
export const literal = (value: string) => value.replace(/[\\*?]/g, '\\$&');
