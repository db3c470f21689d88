/** Synthesizes a small stack to the folder that is its argument: cdktf and two classes of the provider, as bundled. */
import { AwsProvider } from '@cdktf/provider-aws/lib/provider/index.js';
import { SecurityGroup } from '@cdktf/provider-aws/lib/security-group/index.js';
import { App, S3Backend, TerraformStack } from 'cdktf';

const app = new App({ outdir: process.argv[2] ?? '', stackTraces: false });
const stack = new TerraformStack(app, 'trivial');
new S3Backend(stack, { bucket: 'states', key: 'trivial', region: 'us-west-2' });
new AwsProvider(stack, 'aws', { region: 'us-west-2' });
new SecurityGroup(stack, 'group', { name: 'trivial', ingress: [{ fromPort: 443, toPort: 443, protocol: 'tcp' }] });
app.synth();
