/** Ways in and out of the enclave: one proxy a destination, nothing that was not allowed, never the metadata service. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hostToolsMissing, spec, TestHost } from '../support/host.ts';

const missing = hostToolsMissing();
let host: TestHost;
beforeEach(() => {
  host = new TestHost();
});
afterEach(() => host.dispose());

function proxies(providerConfig: object, generation = 1): void {
  host.configure(generation, spec(providerConfig));
  host.run('follow', '--fetch');
  expect(host.run('proxies').status).toBe(0);
  host.run('report');
}

const allowed = () =>
  (host.read('etc/enclave/vsock-proxy.yaml') ?? '')
    .split('\n')
    .flatMap((line) => /^- \{address: (\S+), port: (\d+)\}$/.exec(line)?.slice(1).join(':') ?? []);
const refused = () =>
  (host.report.proxies ?? []).filter(({ state }) => state === 'refused').map(({ destination }) => destination);
const units = () =>
  (host.read('fake/systemctl.log') ?? '')
    .split('\n')
    .filter((line) => /^(start|stop) enclave-/.test(line))
    .map((line) => line.replaceAll(/enclave-|\.service/g, ''));
const forgetUnits = () => host.remove('fake/systemctl.log');

describe.skipIf(missing.length > 0)('the way out', () => {
  it('is closed where nothing is allowed', () => {
    proxies({ awsServices: [] });
    expect(host.read('etc/enclave/vsock-proxy.yaml')).toBe('allowlist: []\n');
    expect(units().filter((line) => line.includes('egress'))).toEqual([]);
    expect(units()).toContain('stop credentials');
  });

  it('has one proxy for each service and host, at a port of its own; KMS at the one its tools expect', () => {
    proxies({
      awsServices: ['s3', 'kms', 'ecr'],
      egress: { allow: ['API.example.com', 'api.example.com:8443', '10.1.2.3:5432'] },
    });
    expect(allowed()).toEqual([
      'kms.us-west-2.amazonaws.com:443',
      '10.1.2.3:5432',
      'api.ecr.us-west-2.amazonaws.com:443',
      'api.example.com:443',
      'api.example.com:8443',
      's3.us-west-2.amazonaws.com:443',
    ]);
    expect(units().filter((line) => line.includes('egress'))).toEqual(
      [8000, 8001, 8002, 8003, 8004, 8005].map((port) => `start egress@${port}`),
    );
    expect(host.read('run/enclave/egress/8004.env')).toBe('HOST=api.example.com\nPORT=8443\n');
    expect(host.report.proxies?.every(({ state }) => state === 'active')).toBe(true);
  });

  it('never leads to the metadata service, to the host, or to a domain as a whole, however it is spelled', () => {
    const never = [
      '169.254.169.254',
      '169.254.169.254:80',
      '169.254.170.2',
      '2852039166',
      '0xa9fea9fe',
      '0251.0376.0251.0376',
      '169.254.43518',
      '127.0.0.1:22',
      '0.0.0.0',
      'localhost:9003',
      'x.localhost',
      'instance-data',
      'instance-data.ec2.internal',
      '*.example.com',
    ];
    proxies({ awsServices: [], egress: { allow: never } });
    expect(allowed()).toEqual([]);
    expect(refused()).toHaveLength(never.length);
    expect(host.log.match(/refused: /g)).toHaveLength(never.length);
  });

  it('takes nothing for a host that is none, though no schema looked at it', () => {
    const none = ['x; id', '$(id)', 'a b', '-x', 'a\nb', '{a}', '[::1]', 'a:0', 'a:99999', 'a,b', '', 7, null];
    host.configure(1, { ...spec({ awsServices: [] }), egress: { allow: none, deny: [] } });
    host.run('follow', '--fetch');
    expect(host.run('proxies').status).toBe(0);
    expect(host.read('etc/enclave/vsock-proxy.yaml')).toBe('allowlist: []\n');
  });

  it('leaves out what is denied, by name, by domain and by port', () => {
    proxies({
      awsServices: ['s3', 'kms'],
      egress: {
        allow: ['a.example.com', 'a.example.com:8443', 'b.example.com', 'c.other.org', 'other.org'],
        deny: ['a.example.com:8443', '*.other.org', 'b.example.com', 's3.us-west-2.amazonaws.com'],
      },
    });
    expect(allowed()).toEqual(['kms.us-west-2.amazonaws.com:443', 'a.example.com:443', 'other.org:443']);
  });

  it('is started anew where the list changes, and left alone where it does not', () => {
    proxies({ egress: { allow: ['a.example.com'] } });
    forgetUnits();
    proxies({ egress: { allow: ['a.example.com'] } }, 2);
    expect(units().filter((line) => line.startsWith('stop egress'))).toEqual([]);
    forgetUnits();
    proxies({ egress: { allow: ['b.example.com'] } }, 3);
    expect(units().filter((line) => line.includes('egress'))).toEqual([
      'stop egress@8000',
      'stop egress@8001',
      'start egress@8000',
      'start egress@8001',
    ]);
    forgetUnits();
    proxies({ awsServices: [], egress: { allow: [] } }, 4);
    expect(host.report.proxies).toEqual([]);
    expect(units()).toEqual(expect.arrayContaining(['stop egress@8000', 'stop egress@8001']));
  });

  it('tells of a proxy that is down', () => {
    proxies({});
    host.remove('fake/units/enclave-egress@8000.service');
    host.run('report', '--if-changed');
    expect(host.report.proxies).toMatchObject([{ state: 'inactive' }]);
  });
});

describe.skipIf(missing.length > 0)('the way in', () => {
  it("opens none of the agent's own ports, whatever an older configuration says", async () => {
    host.configure(1, { ...spec(), exposePorts: [8080, 9001, 9002, 9003, 9100] });
    host.boot();
    expect(units().filter((line) => line.includes('ingress'))).toEqual(['start ingress@8080']);
  });

  it('is one forwarder a port, and follows the list without a restart of the enclave', () => {
    host.configure(1, spec({ exposePorts: [8080, 9090] }));
    host.boot();
    expect(units()).toEqual(expect.arrayContaining(['start ingress@8080', 'start ingress@9090', 'start health']));
    expect(host.read('run/enclave/enclave.env')).toBe('CID=16\nPORT=8080\n');
    expect(host.read('fake/announced')).toBe('8080\n9090\n');
    forgetUnits();
    host.configure(2, spec({ exposePorts: [8080, 7070], healthCheck: { port: 6060 } }));
    host.run('follow');
    host.tick();
    expect(units()).toEqual(expect.arrayContaining(['stop ingress@9090', 'start ingress@7070']));
    expect(host.read('fake/announced')).toBe('6060\n7070\n8080\n');
    expect(host.read('run/enclave/enclave.env')).toBe('CID=16\nPORT=6060\n');
    expect(host.report).toMatchObject({ appliedGeneration: 2, enclaves: [{ state: 'RUNNING' }] });
    expect(host.count('run-enclave')).toBe(1);
  });

  it('is told to the enclave until it has listened', () => {
    host.remove('fake/listens');
    host.configure(1);
    host.boot();
    expect(host.read('fake/announced')).toBeUndefined();
    host.write('fake/listens', '');
    host.tick();
    expect(host.read('fake/announced')).toBe('8080\n');
  });
});
