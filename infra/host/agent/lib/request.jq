# The request that writes a report, its item in DynamoDB's notation. It never takes the place of a newer one of its boot.
def marshal:
  if type == "object" then {M: with_entries(.value |= marshal)}
  elif type == "array" then {L: map(marshal)}
  elif type == "string" then {S: .}
  elif type == "number" then {N: tostring}
  elif type == "boolean" then {BOOL: .}
  else {NULL: true} end;

# Every report moves its expiry 30 days ahead; DynamoDB deletes the reports of hosts that are gone.
($at | sub("\\.[0-9]+Z$"; "Z") | fromdate + 30 * 24 * 60 * 60) as $expiresAt
| ({pk: "report#\($content.id)", sk: $content.instanceId, v: 1, minReader: 1, sequence: $sequence, at: $at, $expiresAt}
  + $content) as $item
| {
    TableName: $wanted[0].reportTable,
    Item: ($item | with_entries(.value |= marshal)),
    ConditionExpression: "attribute_not_exists(pk) OR bootId <> :boot OR #sequence < :sequence",
    ExpressionAttributeNames: {"#sequence": "sequence"},
    ExpressionAttributeValues: {":boot": ($item.bootId | marshal), ":sequence": ($item.sequence | marshal)}
  }
