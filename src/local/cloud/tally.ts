/** Counts what Terraform does to each enclave, for tests' invariants. */
export interface EnclaveTally {
  plans: number;
  appliesStarted: number;
  appliesFinished: number;
  interrupts: number;
  /** Applies refused because the state had changed since their plan: two runs took turns. */
  stalePlans: number;
  /** Terraform operations at work now, those that only wait for the state's lock included. */
  working: number;
  /** The most that ever worked at once: more than one is a fault of the operator. */
  maxWorking: number;
}

const blank = (): EnclaveTally => ({
  plans: 0,
  appliesStarted: 0,
  appliesFinished: 0,
  interrupts: 0,
  stalePlans: 0,
  working: 0,
  maxWorking: 0,
});

export class Tally {
  readonly #enclaves = new Map<string, EnclaveTally>();
  readonly #interruptsByPlan = new Map<string, number>();

  of(enclaveId: string): EnclaveTally {
    const tally = this.#enclaves.get(enclaveId) ?? blank();
    this.#enclaves.set(enclaveId, tally);
    return tally;
  }

  /** An operation begins; the function returned ends it, once. */
  begin(enclaveId: string): () => void {
    const tally = this.of(enclaveId);
    tally.working += 1;
    tally.maxWorking = Math.max(tally.maxWorking, tally.working);
    let open = true;
    return () => {
      if (open) tally.working -= 1;
      open = false;
    };
  }

  interrupt(enclaveId: string, planId: string): void {
    this.of(enclaveId).interrupts += 1;
    this.#interruptsByPlan.set(planId, (this.#interruptsByPlan.get(planId) ?? 0) + 1);
  }

  snapshot() {
    const enclaves = [...this.#enclaves.entries()];
    const sum = (read: (tally: EnclaveTally) => number) => enclaves.reduce((total, [, each]) => total + read(each), 0);
    return {
      appliesStarted: sum((each) => each.appliesStarted),
      appliesFinished: sum((each) => each.appliesFinished),
      interrupts: sum((each) => each.interrupts),
      maxWorkingOnOneEnclave: Math.max(0, ...enclaves.map(([, each]) => each.maxWorking)),
      enclaves: Object.fromEntries(enclaves.map(([id, each]) => [id, { ...each }])),
      interruptsByPlan: Object.fromEntries(this.#interruptsByPlan),
    };
  }
}
