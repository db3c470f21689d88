/** Rules of an enclave's security group, and where its provider is found. */
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { egressRules, ingressRules } from '../../../../infra/enclave/network.ts';
import type { PlatformFacts, RegionFacts } from '../../../../infra/enclave/platform-facts.ts';
import { findProviderMirror, writeCliConfig } from '../../../../infra/enclave/provider-mirror.ts';
import { FACTS, REGION, specOf } from '../../../support/enclave-stack.ts';

const region = FACTS.regions[REGION] as RegionFacts;
const ECR = '123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:1';

describe('what a host may reach', () => {
  const outside = (fields: object, more: Partial<RegionFacts> = {}, facts: Partial<PlatformFacts> = {}) =>
    egressRules(specOf({ dockerImage: ECR, ...fields }), { ...FACTS, ...facts }, { ...region, ...more })
      .filter(({ cidr_blocks }) => cidr_blocks.includes('0.0.0.0/0'))
      .map(({ from_port, to_port, protocol }) => `${protocol}/${from_port}-${to_port}`);

  it('is the endpoints and the name servers of the VPC', () => {
    const rules = egressRules(specOf({ dockerImage: ECR }), FACTS, region);
    expect(
      rules.map(({ protocol, from_port, security_groups, prefix_list_ids, cidr_blocks }) =>
        [protocol, from_port, ...security_groups, ...prefix_list_ids, ...cidr_blocks].join(' '),
      ),
    ).toEqual([
      'tcp 443 sg-00000000000000001',
      'tcp 443 pl-0000000000000000a pl-0000000000000000b',
      'tcp 53 10.0.0.0/16',
      'udp 53 10.0.0.0/16',
    ]);
  });

  it.each([
    { reason: 'an image in ECR', fields: {}, ports: [] },
    {
      reason: 'an image file',
      fields: { dockerImage: undefined, eif: { uri: 's3://images/app.eif', sha256: '0f'.repeat(32) } },
      ports: [],
    },
    { reason: 'Docker Hub', fields: { dockerImage: 'nginx:1' }, ports: ['tcp/443-443'] },
    { reason: 'public ECR', fields: { dockerImage: 'public.ecr.aws/nginx/nginx:1' }, ports: ['tcp/443-443'] },
    {
      reason: 'a registry with a port',
      fields: { dockerImage: 'registry.example.com:5000/a:1' },
      ports: ['tcp/5000-5000'],
    },
    {
      reason: 'ECR of another region',
      fields: { dockerImage: ECR.replace('us-west-2', 'eu-west-1') },
      ports: ['tcp/443-443'],
    },
    {
      reason: 'other hosts',
      fields: { egress: { allow: ['a.example.com', 'b.example.com:8443', 'c.example.com'] } },
      ports: ['tcp/443-443', 'tcp/8443-8443'],
    },
    {
      reason: 'a key of another region',
      fields: { attestation: { kmsKeyArn: 'arn:aws:kms:eu-west-1:123456789012:key/1' } },
      ports: ['tcp/443-443'],
    },
    {
      reason: 'a secret of another region',
      fields: { secrets: [{ name: 'A', secretArn: 'arn:aws:ssm:eu-west-1:123456789012:parameter/a' }] },
      ports: ['tcp/443-443'],
    },
    {
      reason: 'services by gateway',
      fields: { awsServices: ['s3', 'dynamodb'] },
      more: { interfaceEndpoints: ['ecr'] },
      ports: [],
    },
    {
      reason: 'a service without an endpoint',
      fields: { awsServices: ['sqs'] },
      more: { interfaceEndpoints: ['ecr', 'kms'] },
      ports: ['tcp/443-443'],
    },
    {
      reason: 'a VPC without interface endpoints',
      fields: {},
      more: { endpointSecurityGroupId: undefined },
      ports: ['tcp/443-443'],
    },
    { reason: 'a VPC without gateways', fields: {}, more: { prefixListIds: [] }, ports: ['tcp/443-443'] },
    {
      reason: 'reports in another region',
      fields: {},
      facts: { stateTableRegion: 'eu-west-1' },
      ports: ['tcp/443-443'],
    },
  ])('is $ports of the world for $reason', ({ fields, more, facts, ports }) => {
    expect(outside(fields, more as Partial<RegionFacts> | undefined, facts)).toEqual(ports);
  });
});

describe('who may reach a host', () => {
  it('is nobody without exposed ports, and the VPC where no ranges are named', () => {
    expect(ingressRules(specOf(), region)).toEqual([]);
    const rules = ingressRules(specOf({ exposePorts: [8443, 8080] }), region);
    expect(rules.map(({ from_port, to_port, cidr_blocks }) => [from_port, to_port, ...cidr_blocks])).toEqual([
      [8080, 8080, '10.0.0.0/16'],
      [8443, 8443, '10.0.0.0/16'],
    ]);
  });

  it('is each named range, of either family', () => {
    const [rule] = ingressRules(
      specOf({ exposePorts: [8080], ingressCidrs: ['10.1.0.0/16', '2001:DB8::/32'] }),
      region,
    );
    expect(rule).toMatchObject({ cidr_blocks: ['10.1.0.0/16'], ipv6_cidr_blocks: ['2001:db8::/32'] });
  });
});

describe('the mirror of the provider', () => {
  const home = () => mkdtempSync(join(tmpdir(), 'enclave-mirror-'));
  const fill = (mirror: string, name = '5.100.0') =>
    mkdirSync(join(mirror, 'registry.terraform.io/hashicorp/aws', name), { recursive: true });

  it('is the one that is named, or none', () => {
    const [named, other] = [home(), home()];
    fill(other, '5.99.0');
    expect(findProviderMirror({ TF_PLUGIN_MIRROR: other }, named)).toBeUndefined();
    fill(named);
    expect(findProviderMirror({ TF_PLUGIN_MIRROR: named }, other)).toBe(named);
  });

  it.each(['.terraform.d/plugins', 'mirror', 'some/mirror'])('is found in the home folder: %s', (path) => {
    const folder = home();
    fill(join(folder, path));
    const found = findProviderMirror({}, folder);
    // A machine may have one of its own, which Terraform's own folders precede.
    if (path.startsWith('.terraform.d')) expect(found).toBe(join(folder, path));
    else expect(found).toBeDefined();
  });

  it('may be packed', () => {
    const mirror = home();
    const aws = join(mirror, 'registry.terraform.io/hashicorp/aws');
    mkdirSync(aws, { recursive: true });
    writeFileSync(join(aws, 'terraform-provider-aws_5.100.0_linux_amd64.zip'), '');
    expect(findProviderMirror({ TF_PLUGIN_MIRROR: mirror }, mirror)).toBe(mirror);
  });

  it('is all that Terraform is told of; without one the registry is', () => {
    const file = join(home(), 'terraform.rc');
    writeCliConfig(file, '/a "quoted" folder');
    expect(readFileSync(file, 'utf8')).toContain('path = "/a \\"quoted\\" folder"');
    expect(readFileSync(file, 'utf8')).not.toContain('direct');
    writeCliConfig(file, undefined);
    expect(readFileSync(file, 'utf8')).toContain('direct {}');
  });
});
