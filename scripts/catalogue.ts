/**
 * Writes src/enclave/instance-types/data/instance-types.json.
 *
 * node scripts/catalogue.ts --aws us-east-1,eu-west-1   asks DescribeInstanceTypes of every region named
 * node scripts/catalogue.ts --file types.json           reads a data file (`DataFile`)
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { EC2Client, type InstanceTypeInfo, paginateDescribeInstanceTypes } from '@aws-sdk/client-ec2';
import {
  type CatalogueInput,
  type DataFile,
  renderCatalogue,
  rowsOfDataFile,
  rowsOfReplies,
} from './catalogue-format.ts';

const TARGET = new URL('../src/enclave/instance-types/data/instance-types.json', import.meta.url);

async function fromAws(regions: readonly string[]): Promise<CatalogueInput> {
  const replies = new Map<string, InstanceTypeInfo[]>();
  for (const region of regions) {
    const client = new EC2Client({ region });
    const infos: InstanceTypeInfo[] = [];
    for await (const page of paginateDescribeInstanceTypes({ client, pageSize: 100 }, {})) {
      infos.push(...(page.InstanceTypes ?? []));
    }
    client.destroy();
    replies.set(region, infos);
    console.log(`${region}: ${infos.length} types`);
  }
  return {
    source: `EC2 DescribeInstanceTypes of ${regions.length} regions`,
    date: new Date().toISOString().slice(0, 10),
    rows: rowsOfReplies(replies),
  };
}

function fromFile(path: string): CatalogueInput {
  const file: DataFile & { readonly source?: { readonly data?: string } } = JSON.parse(readFileSync(path, 'utf8'));
  const source = file.source?.data ?? path;
  const [date = ''] = /\d{4}-\d{2}-\d{2}/.exec(source) ?? [];
  return { source, date, rows: rowsOfDataFile(file) };
}

const { values } = parseArgs({ options: { aws: { type: 'string' }, file: { type: 'string' } } });
if (values.aws === undefined && values.file === undefined) {
  console.error('usage: node scripts/catalogue.ts --aws REGION[,REGION] | --file FILE');
  process.exit(2);
}
const input = values.file === undefined ? await fromAws((values.aws ?? '').split(',')) : fromFile(values.file);
writeFileSync(TARGET, renderCatalogue(input));
console.log(`${input.rows.length} types, ${input.rows.filter((row) => row.enclaves).length} with enclaves`);
