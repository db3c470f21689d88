/** The simulated cloud: its core, and the wire protocols by which SDK clients and the runner reach it. */
import type { ServerResponse } from 'node:http';
import { type CloudOptions, type Core, createCore } from './core.ts';
import { answerEc2 } from './ec2.ts';
import { CloudError } from './model.ts';
import { answerSim } from './sim-api.ts';
import { describeInstanceInformation, sendCommand } from './ssm.ts';

export { type CloudOptions, type Core, createCore } from './core.ts';

export interface CloudRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: string;
}

export interface Cloud {
  readonly core: Core;
  /** True where it took the request: EC2, what it has of SSM, `/_sim/*`. The answer may outlast the promise's start. */
  handle(request: CloudRequest, response: ServerResponse): Promise<boolean>;
  start(): Promise<void>;
  stop(): Promise<void>;
}

const SSM_OPERATIONS: ReadonlySet<string> = new Set(['SendCommand', 'DescribeInstanceInformation']);

/** The region a request was signed for: one endpoint stands for every region. */
function signedRegion(headers: CloudRequest['headers']): string | undefined {
  return /Credential=[^/]+\/[0-9]{8}\/([a-z0-9-]+)\//.exec(headers.authorization ?? '')?.[1];
}

function ssm(options: CloudOptions, core: Core, operation: string, body: string, response: ServerResponse): void {
  const json = { 'content-type': 'application/x-amz-json-1.1' };
  try {
    const answer =
      operation === 'SendCommand'
        ? sendCommand(core, options.clock, options.random, body)
        : describeInstanceInformation(core, body);
    response.writeHead(200, json).end(JSON.stringify(answer));
  } catch (error) {
    if (!(error instanceof CloudError)) throw error;
    response.writeHead(400, { ...json, 'x-amzn-errortype': error.code });
    response.end(JSON.stringify({ __type: error.code, message: error.message }));
  }
}

export function createCloud(options: CloudOptions): Cloud {
  const core = createCore(options);
  return {
    core,
    async handle(request, response) {
      const { method, url, headers, body } = request;
      if (url.pathname.startsWith('/_sim/')) {
        await answerSim(core, { method, url, body }, response);
        return true;
      }
      if (method !== 'POST') return false;
      const [service, operation = ''] = headers['x-amz-target']?.split('.') ?? [];
      if (service === 'AmazonSSM' && SSM_OPERATIONS.has(operation)) {
        ssm(options, core, operation, body, response);
        return true;
      }
      if (!headers['content-type']?.startsWith('application/x-www-form-urlencoded')) return false;
      const region = signedRegion(headers) ?? options.region;
      const answer = answerEc2(core, options.random, region, new URLSearchParams(body));
      response.writeHead(answer.status, { 'content-type': 'text/xml;charset=UTF-8' }).end(answer.body);
      return true;
    },
    async start() {
      core.start();
    },
    async stop() {
      core.stop();
    },
  };
}
