/** The schema of `policy`: the platform team's word on an enclave, which outlives the application's edits. */
import { z } from 'zod';
import { field, int, text } from './fields.ts';
import { NO_NUL } from './patterns.ts';

const free = (max: number) => text(max, NO_NUL);

export const PolicySchema = z.object({
  suspend: field(
    z
      .object({
        reason: field(free(256), 'Why; shown by enclavectl.', { form: 'text', example: 'incident 4711' }),
        actor: field(free(128).optional(), 'Who suspended it; shown beside the reason.', {
          form: 'text',
          example: 'ops@example.com',
        }),
        until: field(z.iso.datetime({ offset: true }).optional(), 'When it ends by itself.', {
          form: 'an RFC 3339 time',
          fallback: 'never',
          example: '2026-12-24T18:00:00Z',
        }),
      })
      .optional(),
    'Nothing is created, changed or repaired. Deletion goes on.',
    { fallback: 'not suspended' },
  ),
  deletionPolicy: field(
    z.enum(['Delete', 'Retain']).default('Delete'),
    'What deleting the enclave does to its resources in AWS. `Retain` leaves them and forgets them.',
  ),
  onCompletion: field(
    z.enum(['keep', 'stopHost']).default('keep'),
    'What becomes of the host of a batch that has completed. `stopHost` stops it: what it cost most ends, and a new spec starts it again.',
  ),
  drift: field(
    z
      .object({
        mode: field(
          z.enum(['repair', 'alert', 'off']).default('repair'),
          'What happens to a difference between spec and cloud.',
        ),
        overrides: field(
          z.record(text(64, /^[A-Za-z][A-Za-z0-9.-]*$/), z.enum(['replace', 'repair', 'alert', 'off'])).default({}),
          'Another mode for a class of attributes; `replace` lets a repair replace the host.',
          { names: 'letters, digits, . and -', example: '{"tags": "alert"}' },
        ),
        ignore: field(
          z
            .array(
              z.object({
                path: field(text(64, /^[A-Za-z]+(\.[A-Za-z]+)?$/), 'The attribute, or a class of them.', {
                  form: 'an attribute as `enclavectl drift` names it, or the part before its dot',
                  example: 'host.ami',
                }),
                reason: field(free(256), 'Why; shown by `enclavectl drift`.', {
                  form: 'text',
                  example: 'a trial of another image',
                }),
                expires: field(z.iso.datetime({ offset: true }), 'Until when.', {
                  form: 'an RFC 3339 time',
                  example: '2026-12-24T18:00:00Z',
                }),
              }),
            )
            .max(16)
            .default([]),
          'Differences that are meant for a while: neither told nor repaired until they expire.',
        ),
        intervalSeconds: field(int(60, 86_400).default(300), 'Pause between looks.', { unit: 's' }),
        approval: field(
          z.enum(['auto', 'manual']).default('auto'),
          'Whether a person must approve what Terraform changes of it (`enclavectl plan`, `approve`).',
        ),
      })
      .prefault({}),
    'How differences are treated.',
  ),
  maintenanceWindow: field(
    z
      .object({
        cron: field(free(100), 'When it opens: minute, hour, day, month, weekday.', {
          form: 'a cron expression of five fields',
          example: '0 3 * * 6',
        }),
        durationMinutes: field(int(1, 10_080).default(60), 'How long it stays open.', { unit: 'min' }),
        tz: field(free(64).default('UTC'), 'Time zone of the expression.', {
          form: 'a time zone',
          example: 'Europe/Berlin',
        }),
      })
      .optional(),
    'When changes that restart or replace anything may begin.',
    { fallback: 'always' },
  ),
  upgrade: field(
    z
      .object({
        strategy: field(z.enum(['Recreate', 'BlueGreen']).default('Recreate'), 'How a host is replaced.'),
        maxUnavailable: field(int(1, 100).default(1), 'Enclaves of one owner and region that may be replaced at once.'),
        drainSeconds: field(int(0, 3_600).default(30), 'Time the workload has to end.', { unit: 's' }),
      })
      .prefault({}),
    'How changes roll out.',
  ),
  dependsOn: field(
    z
      .array(field(text(63, /^[A-Za-z0-9][A-Za-z0-9_-]*$/), 'An id.', { form: 'the id of an enclave' }))
      .max(16)
      .default([]),
    'Enclaves that must be Ready first; deleted after this one.',
  ),
  timeouts: field(
    z
      .object({
        deploySeconds: field(int(300, 7_200).optional(), 'Longest deploy run.', {
          unit: 's',
          fallback: "the operator's, 1800",
        }),
        destroySeconds: field(int(300, 7_200).optional(), 'Longest destroy run.', {
          unit: 's',
          fallback: "the operator's, 1800",
        }),
      })
      .prefault({}),
    'Deadlines of runs.',
  ),
});

export type EnclavePolicy = z.output<typeof PolicySchema>;
