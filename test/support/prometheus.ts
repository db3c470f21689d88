/** A real Prometheus for tests: is it there, and what does it answer. */
import { spawnSync } from 'node:child_process';
import { describe } from 'vitest';
import { z } from 'zod';

const missing = ['prometheus', 'promtool'].filter((program) => spawnSync(program, ['--version']).error !== undefined);
const reason = `no program ${missing.join(', ')} on the PATH (Debian: apt-get install prometheus)`;
if (missing.length > 0 && process.env.CI === 'true') throw new Error(reason);
if (missing.length > 0) console.log(`skipped: ${reason}`);

/** Skipped, with a printed reason, where Prometheus is not installed; in CI that is a failure. */
export const describeWithPrometheus = missing.length > 0 ? describe.skip : describe;

const AnswerSchema = z.object({ status: z.literal('success'), data: z.unknown() });

/** `data` of an answer of Prometheus' API. Throws with what it says where it refuses. */
export async function ask(url: string, path: string, query: Readonly<Record<string, string>> = {}): Promise<unknown> {
  const response = await fetch(`${url}/api/v1/${path}?${new URLSearchParams(query)}`);
  const text = await response.text();
  if (!response.ok) throw new Error(`${path} ${JSON.stringify(query)}: ${response.status} ${text}`);
  return AnswerSchema.parse(JSON.parse(text)).data;
}
