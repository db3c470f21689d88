/* Counts a vitest JSON report: prints `<passed> <failed>`; a skipped test, a suite that did not load and an error
 * outside of every test count as failed. Plain old JavaScript: it runs on whatever Node the machine has. */
const { readFileSync } = require('node:fs');

const [, , file, status] = process.argv;
const report = JSON.parse(readFileSync(file, 'utf8'));
const tests = report.testResults.flatMap((suite) => suite.assertionResults.map((test) => ({ ...test, suite })));
const passed = tests.filter((test) => test.status === 'passed').length;
const bad = tests.filter((test) => test.status !== 'passed');
const notLoaded = report.testResults.filter(
  (suite) => suite.status === 'failed' && suite.assertionResults.length === 0,
);

for (const test of bad) process.stderr.write(`${test.status}: ${test.suite.name}: ${test.fullName}\n`);
for (const suite of notLoaded) process.stderr.write(`did not load: ${suite.name}\n`);
let failed = bad.length + notLoaded.length;
if (failed === 0 && (Number(status) !== 0 || tests.length === 0)) {
  process.stderr.write(`vitest ended with ${status} although no test failed: see its output\n`);
  failed = 1;
}
process.stdout.write(`${passed} ${failed}\n`);
