/** Who asks, as events and `fleet/control` name it. */
import { userInfo } from 'node:os';

/** The name of the account on this machine; no proof of anything. */
export function actor(): string {
  try {
    return `enclavectl:${userInfo().username}`;
  } catch {
    // A container whose user id has no name.
    return 'enclavectl';
  }
}
