# JSON in DynamoDB's notation.
def marshal:
  if type == "object" then {M: with_entries(.value |= marshal)}
  elif type == "array" then {L: map(marshal)}
  elif type == "string" then {S: .}
  elif type == "number" then {N: tostring}
  elif type == "boolean" then {BOOL: .}
  else {NULL: true} end;
with_entries(.value |= marshal)
