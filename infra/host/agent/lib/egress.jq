# From the configuration: {allowed: [{host, port, vsockPort, address}], refused: [{destination, reason}]}.
# KMS has the port its tools expect, 8000; every other destination the next one, in order of the names.

def suffix: if startswith("cn-") then "amazonaws.com.cn" else "amazonaws.com" end;
def service_host($region): "\({ecr: "api.ecr"}[.] // .).\($region).\($region | suffix)";
def split_destination:
  (capture("^(?<host>.+?)(:(?<port>[0-9]+))?$") // {host: ., port: null})
  | {host: (.host | ascii_downcase), port: ((.port // "443") | tonumber)};
def covers($pattern):
  $pattern as $p | . as $d
  | ($p.host == "*" or $p.host == $d.host or (($p.host | startswith("*.")) and ($d.host | endswith($p.host[1:]))))
    and ($p.anyPort or $p.port == $d.port);

# Addresses in any spelling but plain dotted ones are refused, since resolvers read them as numbers.
def reason:
  if .host | contains("*") then "a wildcard cannot be an entry of vsock-proxy: name the hosts"
  elif (.host | test("^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$") | not) then "not a host name"
  elif (.port < 1 or .port > 65535) then "not a port"
  elif .host | test("^(localhost|instance-data)$|\\.localhost$|^instance-data\\.") then "the host itself is never reachable"
  elif .host | test("(^|\\.)(0x[0-9a-f]*|[0-9]+)$") then
    if (.host | test("^(0|[1-9][0-9]{0,2})(\\.(0|[1-9][0-9]{0,2})){3}$") | not) then "not a host name"
    elif .host | test("^(0|127|22[4-9]|23[0-9]|24[0-9]|25[0-5])\\.|^169\\.254\\.") then "metadata service, host and multicast are never reachable"
    else null end
  else null end;

. as $configuration
| (.spec.egress.deny // [] | map(. as $text | split_destination | .anyPort = ($text | test(":[0-9]+$") | not))) as $deny
| [(.spec.awsServices // [])[] | strings | service_host($configuration.region) | {host: ., port: 443}] as $services
| [(.spec.egress.allow // [])[] | strings | split_destination] as $others
| ($services + $others | unique) as $all
| ($all | map(. as $d | select(any($deny[]; . as $p | $d | covers($p)) | not))) as $wanted
| ("kms." + .region + "." + (.region | suffix)) as $kms
| ($wanted | map(select(reason == null)) | sort_by(.host != $kms, .host, .port)) as $allowed
| ($allowed | map(.host) | unique) as $hosts
| ($allowed | any(.host == $kms)) as $hasKms
| {
    allowed: [
      range($allowed | length) as $i
      | $allowed[$i]
      | .vsockPort = 8000 + $i + (if $hasKms then 0 else 1 end)
      | .host as $host
      # A name is led to an address by the enclave's hosts file; a plain address becomes one of the enclave's own.
      | .address = if $host | test("^[0-9.]+$") then $host else "127.1.0.\(($hosts | index($host)) + 1)" end
    ],
    refused: ($wanted | map(select(reason != null) | {destination: "\(.host):\(.port)", reason: reason}))
  }
