# What one look at a started enclave may lead to: completion, a restart with backoff, giving up; its health.
# shellcheck shell=bash

ledger=$boot/restarts.json

# differences SEEN: in words, what the enclave is and should not be. The report shows it; the operator acts on it.
differences() {
  jq -r --slurpfile wanted "$wanted" --arg name "$name" '
    ($wanted[0].spec) as $spec
    | [ (if any(.enclaves[]; .debug) and ($spec.enableDebug != true)
          then "the enclave runs in debug mode and must not: its attested measurements are all zero" else empty end),
        (if (.enclaves | length) > 1 then "more than one enclave runs: \(.enclaves | map(.name) | join(", "))" else empty end),
        (.enclaves[] | select(.name == $name) | select(.cpuCount != $spec.cpuCount or .memoryMiB < $spec.memoryMiB)
          | "the enclave has \(.cpuCount) vCPU and \(.memoryMiB) MiB, and should have \($spec.cpuCount) and \($spec.memoryMiB)")
      ] | join("; ")' <<<"$1"
}

# announce: tells the enclave which of its ports lead in, until it has listened once.
announce() {
  if [ -e "$boot/announced" ] || [ "$(read_json "$image" .mode)" = eif ]; then return 0; fi
  local ports cid
  cid=$(wanted_value '.spec.enclaveCid // 16 | numbers | floor')
  ports=$(wanted_value '[.spec.exposePorts[]?, .spec.healthCheck.port] | map(numbers) | unique | .[]')
  if printf '%s\n' "$ports" | timeout 5 socat -u STDIN "VSOCK-CONNECT:$cid:9100" 2>/dev/null; then
    : >"$boot/announced"
  fi
}

# look_at_health: leaves none, passing or failing in health; asks only when the interval is over.
look_at_health() {
  local record at grace started result=failed
  record=$(read_json "$boot/health.json" '. // {}' -c)
  health=$(jq -r '.state // "none"' <<<"$record")
  if [ -z "$("$agent/bin/probe" --port)" ]; then
    health=none
    rm -f "$boot/health.json"
    return
  fi
  at=$(now)
  if [ "$at" -lt "$(jq '.nextAt // 0' <<<"$record")" ]; then return; fi
  started=$(read_json "$boot/started.json" .at)
  grace=$(wanted_value '.spec.healthCheck.startupGraceSeconds // 120')
  if "$agent/bin/probe"; then result=passed; fi
  jq --arg result "$result" --argjson at "$at" --argjson inGrace "$([ $((at - started)) -lt "$grace" ] && echo true || echo false)" \
    --slurpfile wanted "$wanted" '
      ($wanted[0].spec) as $spec
      | .passes = (if $result == "passed" then (.passes // 0) + 1 else 0 end)
      | .failures = (if $result == "passed" or $inGrace then 0 else (.failures // 0) + 1 end)
      | .state = (if .passes >= ($spec.healthCheck.successThreshold // 1) then "passing"
                  elif .failures >= ($spec.healthCheck.failureThreshold // 3) then "failing"
                  else .state // "none" end)
      | .nextAt = $at + ($spec.healthCheckInterval // 30)' <<<"$record" | write_file "$boot/health.json"
  health=$(read_json "$boot/health.json" .state)
}

# ended: the enclave is gone. A crash leaves no status anywhere; a workload that ended has told its own.
ended() {
  local code batch
  code=$(cat "$boot/exit" 2>/dev/null || true)
  batch=$(wanted_value '.spec.workloadType == "batch"')
  if [ "$batch" = true ] && [ "$code" = 0 ]; then
    jq -n --arg fingerprint "$(fingerprint)" --arg at "$(timestamp)" '$ARGS.named' | write_file "$state/completed.json"
    log '[SUCCESS] the batch has completed'
    clear_error
    return
  fi
  restart_by_policy "the enclave is gone$(if [ -n "$code" ]; then echo ": its workload ended with status $code"; fi)" \
    "$(if [ "$code" = 0 ]; then echo ended; else echo failed; fi)"
}

# restart_by_policy WHY ended|failed: now, later or not at all.
restart_by_policy() {
  local policy at next count
  policy=$(wanted_value '.spec.restartPolicy // "Always"')
  if [ "$policy" = Never ] || { [ "$policy" = OnFailure ] && [ "$2" = ended ]; }; then
    record_error workload ended "$1; the restart policy is $policy"
    return
  fi
  at=$(now)
  next=$(read_json "$ledger" '.nextAt // ""')
  if [ -z "$next" ]; then
    jq -n --argjson at "$at" --slurpfile wanted "$wanted" --argjson ledger "$(read_json "$ledger" '. // {}' -c)" '
      ({initialSeconds: 10, maxSeconds: 600, maxRestarts: 5, windowSeconds: 1800} + ($wanted[0].spec.backoff // {})) as $b
      | ($ledger.times // [] | map(select(. > $at - $b.windowSeconds))) as $recent
      | if $ledger.gaveUp == true or ($recent | length) >= $b.maxRestarts
        then $ledger + {gaveUp: true}
        else {times: $recent, nextAt: ($at + ([$b.maxSeconds, $b.initialSeconds * pow(2; $recent | length)] | min | floor))}
        end' | write_file "$ledger"
    next=$(read_json "$ledger" '.nextAt // ""')
  fi
  count=$(read_json "$ledger" '.times // [] | length')
  if [ -z "$next" ]; then
    record_error workload restarts "$1; restarted $count times, which is as often as the backoff allows"
    return
  fi
  if [ "$at" -lt "$next" ]; then
    record_error workload restarting "$1; restarted after $count restarts at $(date -u -d "@$next" +%H:%M:%S) UTC"
    return
  fi
  # What is counted and not done costs a pause; what is done and not counted has no end.
  read_json "$ledger" '{times: ((.times // []) + [$at])}' --argjson at "$at" | write_file "$ledger"
  log "restarting: $1"
  "$agent/bin/run" --restart || true
}
