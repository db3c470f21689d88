/** Notifications to an SNS topic. */
import { PublishCommand, type SNSClient } from '@aws-sdk/client-sns';
import type { Channel } from '../reconciler/ports/index.ts';
import { call } from './errors.ts';

/** What SNS takes: printable ASCII, one line. */
const LONGEST_SUBJECT = 100;

/** `kind`, `severity` and `environment` are attributes of the message: subscriptions filter by them. */
export function createTopic(client: SNSClient, topicArn: string): Channel {
  return {
    name: 'sns',
    async send(notification, signal) {
      const { environment, kind, severity, subject } = notification;
      const title = `[${environment}] ${kind}: ${subject}`.replace(/[^\x20-\x7e]/g, '?').slice(0, LONGEST_SUBJECT);
      const attributes = { environment, kind, severity };
      const command = new PublishCommand({
        TopicArn: topicArn,
        Subject: title.trim(),
        Message: JSON.stringify(notification),
        MessageAttributes: Object.fromEntries(
          Object.entries(attributes).map(([name, value]) => [name, { DataType: 'String', StringValue: value }]),
        ),
      });
      await call('sns:Publish', `topic ${topicArn.split(':').at(-1)}`, () =>
        client.send(command, { abortSignal: signal }),
      );
    },
  };
}
