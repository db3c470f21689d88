# What one look at a started enclave may lead to: completion, a restart with backoff, giving up; its health.
# shellcheck shell=bash

ledger=$boot/restarts.json

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
  local port due grace result=failed
  IFS=$'\x1f' read -r health port due grace < <(jq -nr --slurpfile record "$(present "$boot/health.json")" \
    --slurpfile started "$boot/started.json" --slurpfile wanted "$wanted" --argjson at "$at" '
      ($wanted[0].spec) as $spec
      | (if $spec.workloadType == "batch" then null else $spec.healthCheck.port // $spec.exposePorts[0] end) as $port
      | [ $record[0].state // "none", $port, $at >= ($record[0].nextAt // 0),
          $at - $started[0].at < ($spec.healthCheck.startupGraceSeconds // 120) ]
      | map(if . == null then "" else tostring end) | join("\u001f")')
  if [ -z "$port" ]; then
    health=none
    rm -f "$boot/health.json"
    return
  fi
  if [ "$due" != true ]; then return; fi
  if "$agent/bin/probe"; then result=passed; fi
  jq -n --arg result "$result" --argjson at "$at" --argjson inGrace "$grace" --slurpfile wanted "$wanted" \
    --slurpfile record "$(present "$boot/health.json")" '
      ($wanted[0].spec) as $spec
      | $record[0] // {}
      | .passes = (if $result == "passed" then (.passes // 0) + 1 else 0 end)
      | .failures = (if $result == "passed" or $inGrace then 0 else (.failures // 0) + 1 end)
      | .state = (if .passes >= ($spec.healthCheck.successThreshold // 1) then "passing"
                  elif .failures >= ($spec.healthCheck.failureThreshold // 3) then "failing"
                  else .state // "none" end)
      | .nextAt = $at + ($spec.healthCheckInterval // 30)' | write_file "$boot/health.json"
  health=$(sed -n 's/.*"state": "\([a-z]*\)".*/\1/p' "$boot/health.json")
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
