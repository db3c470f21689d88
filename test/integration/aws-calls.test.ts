/** What of calls to AWS is counted: every attempt, by the class of its answer, with the real SDK. */
import { beforeEach, expect, it } from 'vitest';
import { createMetrics, type Metrics } from '../../src/reconciler/metrics/index.ts';
import { awsAtEndpoint, jsonError } from '../support/memory-endpoint.ts';
import { risen, scrape } from '../support/scrape.ts';

const aws = awsAtEndpoint({ prefix: 'p', accountId: '123456789012', cluster: 'c', environment: 'dev' });
const COUNTED = ['aws_requests_total', 'throttled_total', 'aws_request_duration_seconds_count'];

let metrics: Metrics;
beforeEach(() => {
  metrics = createMetrics();
  aws.ports.calls.listen(metrics.aws);
});

const rises = async () => risen(await scrape(createMetrics()), await scrape(metrics), ...COUNTED);

it('counts a call that is answered once', async () => {
  aws.endpoint.script(() => ({ body: {} }));
  await aws.ports.records.get('e-1');
  expect(await rises()).toEqual({
    'aws_requests_total{service="dynamodb",operation="GetItem",code="ok"}': 1,
    'aws_request_duration_seconds_count{service="dynamodb"}': 1,
  });
});

it('counts every attempt of a call that is throttled and then answered', async () => {
  aws.endpoint.script((_, index) => (index === 0 ? jsonError('ThrottlingException') : { body: {} }));
  await aws.ports.records.get('e-1');
  expect(await rises()).toEqual({
    'aws_requests_total{service="dynamodb",operation="GetItem",code="Throttled"}': 1,
    'aws_requests_total{service="dynamodb",operation="GetItem",code="ok"}': 1,
    'aws_request_duration_seconds_count{service="dynamodb"}': 2,
    'throttled_total{service="dynamodb"}': 1,
  });
});

it('tells what is forbidden from what fails', async () => {
  aws.endpoint.script(() => jsonError('AccessDeniedException'));
  await expect(aws.ports.records.get('e-1')).rejects.toMatchObject({ class: 'Blocked' });
  expect(await rises()).toMatchObject({
    'aws_requests_total{service="dynamodb",operation="GetItem",code="Blocked"}': 1,
  });
});
