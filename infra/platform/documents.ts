/** The commands the operator may send to hosts, in each region: fixed texts, without a parameter. */
import { SsmDocument } from '@cdktf/provider-aws/lib/ssm-document/index.js';
import { HOST_COMMANDS, ssmDocument, ssmDocumentName } from '../host/index.ts';
import { idIn, type Platform } from './context.ts';

export function hostCommands(platform: Platform, region: string): void {
  for (const command of HOST_COMMANDS) {
    new SsmDocument(platform.stack, idIn(platform, region, `${command}-document`), {
      name: ssmDocumentName(platform.config.prefix, command),
      documentType: 'Command',
      documentFormat: 'JSON',
      content: JSON.stringify(ssmDocument(command)),
      ...platform.provider(region),
    });
  }
}
