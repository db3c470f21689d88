# The report's content, from what the agent has on disk. Everything in it is the host's own word.
{
  id: $id,
  instanceId: $instanceId,
  bootId: $bootId,
  agentVersion: $agentVersion,
  appliedGeneration: ($applied.generation // 0),
  observed: ($observation.observed // false),
  enclaves: [
    $observation.enclaves[]?
    | {name, state, flags, debug, cpuCount, memoryMiB} + (if .cid == null then {} else {cid} end)
  ],
  health: ($health.state // "none"),
  completed: $completed,
  measurements: (
    ([$observation.enclaves[]? | select(.name == $name) | .measurements][0] // {})
    | if . == {} then $image.measurements // {} else . end
    | with_entries(select(.key | test("^PCR[0-9]+$")))
  ),
  allocator: $allocator,
  proxies: $proxies,
  restarts: ($restarts.times // [] | length)
}
+ (if ($image.digest // "") == "" then {} else {imageDigest: $image.digest} end)
+ (if $exit == "" then {} else {exitCode: ($exit | tonumber)} end)
+ (if $error == null then {} else {error: ($error | {class, code, message, step})} end)
