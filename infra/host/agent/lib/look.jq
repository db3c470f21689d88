# A look at the enclaves after the look before: a line of words (observed, running, absent, seconds of terminating, or -1),
# a line of what differs from the configuration, and the observation to keep.

def runs: any(.enclaves[]?; .name == $name and .state == "RUNNING");
def differences($spec):
  [ (if any(.enclaves[]; .debug) and ($spec.enableDebug != true)
      then "the enclave runs in debug mode and must not: its attested measurements are all zero" else empty end),
    (if (.enclaves | length) > 1 then "more than one enclave runs: \(.enclaves | map(.name) | join(", "))" else empty end),
    (.enclaves[] | select(.name == $name) | select(.cpuCount != $spec.cpuCount or .memoryMiB < $spec.memoryMiB)
      | "the enclave has \(.cpuCount) vCPU and \(.memoryMiB) MiB, and should have \($spec.cpuCount) and \($spec.memoryMiB)")
  ] | join("; ") | gsub("[[:cntrl:]]"; " ");

($before[0] // {}) as $before
| ($seen.observed and $seen.enclaves == []) as $gone
| ($gone and ($before | runs) and $before.absences == null) as $once
| (if any($seen.enclaves[]; .state == "TERMINATING") then $before.terminatingSince // $at else null end) as $terminating
| ([$seen.observed, ($seen | runs), (if $once then "once" else $gone end), (if $terminating then $at - $terminating else -1 end)]
    | map(tostring) | join(" ")),
  ($seen | differences($wanted[0].spec)),
  (if $once then $before + {absences: 1} else $seen + {at: $at} end
    + (if $terminating then {terminatingSince: $terminating} else {} end) | tojson)
