/** Effects: what a decision wants done, as data. The reconciler carries them out after the decision is committed. */
import type { EventDraft } from '../enclave/event-reasons.ts';
import type { RunAction } from '../enclave/names.ts';

export type Effect =
  /** Start the execution of the marker; idempotent by its name. */
  | { readonly type: 'startRun'; readonly name: string; readonly action: RunAction }
  /** Set the run's cancel flag and stop its task; withdraw it if it has not been claimed. */
  | {
      readonly type: 'cancelRun';
      readonly name: string;
      readonly action: RunAction;
      readonly taskArn: string | undefined;
    }
  | { readonly type: 'startHost'; readonly instanceId: string }
  | { readonly type: 'stopHost'; readonly instanceId: string }
  | { readonly type: 'restartEnclave'; readonly instanceId: string }
  /** Reserve cores and memory anew, and start the enclave. */
  | { readonly type: 'restartAllocator'; readonly instanceId: string }
  /** Ask it to report, by another way: what comes of it decides whether it is restarted. */
  | { readonly type: 'askHost'; readonly instanceId: string }
  /** Forget the enclave: record and resources are gone. */
  | { readonly type: 'forget' }
  /** Look again after this long, whatever happens before. */
  | { readonly type: 'requeueAfter'; readonly delayMs: number }
  | { readonly type: 'emitEvent'; readonly event: EventDraft };

export type EffectType = Effect['type'];
