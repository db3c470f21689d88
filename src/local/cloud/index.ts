/** The simulated cloud: its core, and the wire protocols by which SDK clients and the runner reach it. */
import type { ServerResponse } from 'node:http';
import { z } from 'zod';
import { type CloudOptions, type Core, createCore } from './core.ts';
import { answerEc2 } from './ec2.ts';
import { answerIam } from './iam.ts';
import { CloudError } from './model.ts';
import { answerSim } from './sim-api.ts';
import { describeInstanceInformation, sendCommand } from './ssm.ts';
import { logGroups } from './surroundings.ts';

export { type CloudOptions, type Core, createCore } from './core.ts';

export interface CloudRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: string;
}

export interface Cloud {
  readonly core: Core;
  /** True where it took the request: EC2, what is asked of SSM, IAM and Logs, `/_sim/*`. The answer may outlast the promise's start. */
  handle(request: CloudRequest, response: ServerResponse): Promise<boolean>;
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** The region a request was signed for: one endpoint stands for every region. */
function signedRegion(headers: CloudRequest['headers']): string | undefined {
  return /Credential=[^/]+\/[0-9]{8}\/([a-z0-9-]+)\//.exec(headers.authorization ?? '')?.[1];
}

const LogGroupsSchema = z.looseObject({ logGroupNamePrefix: z.string().default('') });

interface JsonCall {
  readonly core: Core;
  readonly options: CloudOptions;
  readonly region: string;
  readonly body: string;
}

/** Calls of the JSON protocols, by their target. Lists are short here, and come on one page. */
const JSON_CALLS: Readonly<Record<string, (call: JsonCall) => object>> = {
  'AmazonSSM.SendCommand': ({ core, options, body }) => sendCommand(core, options.clock, options.random, body),
  'AmazonSSM.DescribeInstanceInformation': ({ core, region, body }) => describeInstanceInformation(core, region, body),
  'Logs_20140328.DescribeLogGroups': ({ core, region, body }) => {
    const { logGroupNamePrefix } = LogGroupsSchema.parse(JSON.parse(body || '{}'));
    return { logGroups: logGroups(core, region, logGroupNamePrefix) };
  },
};

function answerJson(operation: (call: JsonCall) => object, call: JsonCall, response: ServerResponse): void {
  const json = { 'content-type': 'application/x-amz-json-1.1' };
  try {
    const answer = JSON.stringify(operation(call));
    response.writeHead(200, json).end(answer);
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
      const region = signedRegion(headers) ?? options.region;
      const target = headers['x-amz-target'] ?? '';
      const operation = Object.hasOwn(JSON_CALLS, target) ? JSON_CALLS[target] : undefined;
      if (operation !== undefined) {
        answerJson(operation, { core, options, region, body }, response);
        return true;
      }
      if (!headers['content-type']?.startsWith('application/x-www-form-urlencoded')) return false;
      const parameters = new URLSearchParams(body);
      const answer = answerIam(core, parameters) ?? answerEc2(core, options.random, region, parameters);
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
