# The report's content, from what the agent has on disk. Everything in it is the host's own word.
include "fingerprint";

($wanted[0]) as $configuration
| ($image[0] // {}) as $built
| ($error[0]) as $failure
| {
    id: $id,
    instanceId: ($cloud[0].v1.instance_id // ""),
    bootId: $bootId,
    agentVersion: $agentVersion,
    appliedGeneration: ($applied[0].generation // 0),
    observed: ($observation.observed // false),
    enclaves: [
      $observation.enclaves[]?
      | {name, state, flags, debug, cpuCount, memoryMiB} + (if .cid == null then {} else {cid} end)
    ],
    health: ($health[0].state // "none"),
    completed: (($completed[0].fingerprint // "") == ($configuration | fingerprint($built))),
    measurements: (
      ([$observation.enclaves[]? | select(.name == $name) | .measurements][0] // {})
      | if . == {} then $built.measurements // {} else . end
      | with_entries(select(.key | test("^PCR[0-9]+$")))
    ),
    allocator: ($pool + {
      ok: ($pool.cpuCount >= $configuration.spec.cpuCount and $pool.memoryMiB >= $configuration.spec.memoryMiB)
    }),
    proxies: [
      $proxies[0][]?
      | if .vsockPort == null then . else .state = ($states["enclave-egress@\(.vsockPort).service"] // "unknown") end
    ],
    restarts: ($restarts[0].times // [] | length)
  }
+ (if ($built.digest // "") == "" then {} else {imageDigest: $built.digest} end)
+ (if $exit == "" then {} else {exitCode: ($exit | tonumber)} end)
+ (if $failure == null then {} else {error: ($failure | {class, code, message, step, generation} | del(.[] | nulls))} end)
