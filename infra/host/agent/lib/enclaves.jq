# describe-enclaves, in the report's words; the wanted enclave first. Spellings of state and flags vary by version.
map({
  name: (.EnclaveName // ""),
  id: .EnclaveID,
  cid: .EnclaveCID,
  state: ((.State // "") | ascii_upcase),
  flags: (.Flags // ""),
  debug: ((.Flags // "") | ascii_downcase | startswith("debug")),
  cpuCount: (.NumberOfCPUs // 0),
  memoryMiB: (.MemoryMiB // 0),
  measurements: ((.Measurements // {}) | with_entries(select((.key | test("^PCR[0-9]+$")) and (.value | type == "string"))))
})
| sort_by(.name != $name, .state != "RUNNING", .name)
