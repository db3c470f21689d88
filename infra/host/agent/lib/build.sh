# The composite image: the workload's image, an init, and the few programs the init needs.
# shellcheck shell=bash

# The first part of a reference is a registry only where it has a dot or a port, or is localhost.
registry_of() {
  local first=${1%%/*}
  if [[ $1 == */* && ($first == *[.:]* || $first == localhost) ]]; then echo "$first"; fi
}

# log_in REFERENCE: the password goes from AWS to docker without a file, an argument or a log.
# A failed login is retried: docker's text does not separate a wrong password from a role that is seconds old.
log_in() {
  local registry credentials arn user password errors
  registry=$(registry_of "$1")
  arn=$(wanted_value '.spec.registryCredentialsArn // ""')
  if [[ $registry =~ ^[0-9]{12}\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com(\.cn)?$ ]]; then
    errors=$({ aws ecr get-login-password --region "${BASH_REMATCH[1]}" |
      docker login --username AWS --password-stdin "$registry" >/dev/null; } 2>&1) ||
      fail transient registry "the login to $registry failed: $(excerpt "$errors")"
  elif [ -n "$arn" ]; then
    credentials=$(secret_value "$arn") || fail transient registry 'the registry credentials could not be read'
    user=$(jq -er '.username | strings' <<<"$credentials" 2>/dev/null) ||
      fail spec registry 'registryCredentialsArn must name a secret {"username": …, "password": …}'
    password=$(jq -jr '.password | strings' <<<"$credentials")
    registry=${registry:-docker.io}
    if ! errors=$(printf '%s' "$password" | docker login "--username=$user" --password-stdin "$registry" 2>&1 >/dev/null); then
      if [ -n "$password" ]; then errors=${errors//"$password"/***}; fi
      fail transient registry "the login to $registry failed: $(excerpt "$errors")"
    fi
  fi
}

secret_value() {
  local region
  region=$(cut -d : -f 4 <<<"$1")
  case $1 in
    arn:*:secretsmanager:*)
      aws secretsmanager get-secret-value --region "$region" --secret-id "$1" --query SecretString --output text
      ;;
    arn:*:ssm:*)
      aws ssm get-parameter --region "$region" --name "$1" --with-decryption --query Parameter.Value --output text
      ;;
  esac
}

# pull REFERENCE: E50 only for permanent errors. A refused pull is transient: the grants of a new role take a while to spread.
pull() {
  local errors text class
  if errors=$(docker pull --quiet "$1" 2>&1 >/dev/null); then return 0; fi
  # Remove the reference first: words in an image name must not choose the class.
  text=${errors//"$1"/}
  class=$(resource_class_of "$text") || class=transient
  case ${text,,} in
    *denied* | *unauthorized* | *'no basic auth credentials'*) fail "$class" denied "docker pull: $(excerpt "$errors")" ;;
  esac
  if ! resource_class_of "$text" >/dev/null; then
    case ${text,,} in
      *'manifest unknown'* | *'manifest for '*' not found'* | *'no matching manifest'* | *'invalid reference'* | \
        *'failed to resolve reference'*': not found'*) fail image E50 "docker pull: $(excerpt "$errors")" ;;
    esac
  fi
  fail "$class" pull "docker pull: $(excerpt "$errors")"
}

# resolve REFERENCE: its digest. A tag is resolved once; from then on the digest is what it means.
resolve() {
  local reference=$1 digest
  digest=$(sed -n 's/^.*@\(sha256:[0-9a-f]\{64\}\)$/\1/p' <<<"$reference")
  if [ -z "$digest" ]; then digest=$(wanted_value '.imageDigest // ""'); fi
  if [ -z "$digest" ]; then
    digest=$(read_json "$state/resolved.json" '.[$reference] // ""' --arg reference "$reference")
  fi
  if [ -z "$digest" ]; then
    log_in "$reference"
    pull "$reference"
    digest=$(docker image inspect "$reference" | jq -r --arg repository "$(repository_of "$reference")" \
      '[.[0].RepoDigests[]? | split("@")] | (map(select(.[0] == $repository)) + .)[0][1] // ""')
    [[ $digest =~ ^sha256:[0-9a-f]{64}$ ]] || fail image digest "docker tells no digest of $reference"
    read_json "$state/resolved.json" '(. // {}) + {($reference): $digest}' --arg reference "$reference" \
      --arg digest "$digest" | write_file "$state/resolved.json"
    log "resolved $reference to $digest"
  fi
  resolved=$digest
}

repository_of() {
  local named=${1%@*} last
  last=${named##*/}
  if [[ $last == *:* ]]; then named=${named%:*}; fi
  echo "$named"
}

# secrets: variables that hold ciphertext or a reference, never a secret.
secrets() {
  local name uri arn file=$context/ciphertext all='{}'
  while IFS=$'\x1f' read -r name uri arn; do
    [[ $name =~ ^[A-Z_][A-Z0-9_]*$ && $uri$arn =~ ^(s3://|arn:) ]] || fail spec secrets 'a secret needs a name and a reference'
    if [ -n "$uri" ]; then
      aws s3 cp --only-show-errors "$uri" "$file" || fail transient secret "the ciphertext of $name could not be fetched"
      all=$(jq -c --arg name "${name}_CIPHERTEXT" --arg value "$(base64 -w 0 "$file")" '.[$name] = $value' <<<"$all")
    else
      all=$(jq -c --arg name "${name}_ARN" --arg value "$arn" '.[$name] = $value' <<<"$all")
    fi
  done < <(wanted_value '.spec.secrets // [] | .[] | [.name, .kmsCiphertextUri // "", .secretArn // ""] | join("\u001f")')
  rm -f "$file"
  printf '%s' "$all"
}

# tools FOLDER: the init's programs with everything they are linked to, so that they run in an image without any.
tools() {
  local program path library
  mkdir -p "$1/bin" "$1/lib"
  for program in bash socat ip env chroot mkdir sleep; do
    path=$(command -v "$program") || fail host tools "$program is not installed"
    cp -L "$path" "$1/bin/$program"
    while read -r library; do
      case ${library##*/} in
        ld-linux*) cp -L "$library" "$1/ld" ;;
        *) cp -L "$library" "$1/lib/" ;;
      esac
    done < <(ldd "$path" 2>/dev/null | sed -n -e 's/^.* => \(\/[^ ]*\) (.*$/\1/p' -e 's/^[[:space:]]*\(\/[^ ]*\) (.*$/\1/p')
  done
  # A workload that is not root is started by these.
  chmod -R a+rX "$1"
  [ -e "$1/ld" ] || fail host tools 'the programs of the init name no loader'
}

# compose REFERENCE: leaves the EIF in $context, and its measurements in nitro_answer.
compose() {
  local folder=$context/enclave workload=$context/workload.json errors cause
  docker image inspect "$1" >"$context/inspected.json" || fail transient inspect "docker cannot inspect $1"
  secrets >"$context/secrets.json"
  jq -n --slurpfile inspected "$context/inspected.json" --slurpfile configuration "$wanted" \
    --slurpfile egress "$context/egress.json" --slurpfile secrets "$context/secrets.json" \
    '{image: $inspected[0][0].Config, configuration: $configuration[0], egress: $egress[0], secrets: $secrets[0]}' |
    jq -f "$agent/lib/workload.jq" >"$workload"
  jq -e '.arguments | length > 0' "$workload" >/dev/null || fail image command 'the image has neither entrypoint nor command'
  mkdir "$folder"
  tools "$folder"
  cp "$agent/inside/init" "$agent/inside/inbound" "$folder/"
  jq -j '.arguments[] | ., "\u0000"' "$workload" >"$folder/arguments"
  jq -j '.environment[] | ., "\u0000"' "$workload" >"$folder/environment"
  jq -r '.directory' "$workload" >"$folder/directory"
  jq -r '.user' "$workload" >"$folder/user"
  jq -r '.egress[] | "\(.address) \(.host)"' "$workload" | sort -u >"$folder/hosts"
  jq -r '(.egress[] | "\(.address) \(.port) \(.vsockPort)"), (if .credentials then "127.0.0.1 9003 9003" else empty end)' \
    "$workload" >"$folder/egress"
  cp "$agent/inside/Dockerfile" "$context/Dockerfile"
  rm -f "$workload" "$context/secrets.json" "$context/inspected.json" "$context/egress.json"
  # Times are measured too: with one for all, equal contents give equal images.
  find "$context" -exec touch -h -d @0 {} +
  docker tag "$1" enclave-base
  if ! docker build --quiet --network none --tag enclave-workload "$context" >/dev/null 2>"$context/errors"; then
    errors=$(<"$context/errors")
    # The last line that names an error, for docker shows the build file after it.
    cause=$(grep -i error <<<"$errors" | tail -n 1) || cause=$errors
    fail "$(resource_class_of "$errors" || echo image)" E49 "docker build: $(excerpt "$cause")"
  fi
  if ! nitro 3600 build-enclave --docker-uri enclave-workload --output-file "$context/enclave.eif"; then
    fail "$nitro_class" "$nitro_code" "nitro-cli build-enclave: $nitro_error"
  fi
}
