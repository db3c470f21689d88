/** A port on this machine that a child process shall listen on. */
import { createServer } from 'node:net';

/** The port, or a free one for 0. Throws with the fix where it is taken: `flag` chooses another. */
export async function claimPort(port: number, flag: string): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve, reject) => {
    probe.once('error', () => reject(new Error(`port ${port} is in use: choose another with ${flag}`)));
    probe.listen(port, '127.0.0.1', resolve);
  });
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return address !== null && typeof address === 'object' ? address.port : port;
}
