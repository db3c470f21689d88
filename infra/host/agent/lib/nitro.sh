# nitro-cli, asked so that its answer can be relied on.
# shellcheck shell=bash

# Its first answer after a start waits for hashes of the whole image.
describe_limit=120
export NITRO_CLI_ARTIFACTS=$state/artifacts HOME=${HOME:-/root}

nitro_answer=
nitro_code=
nitro_error=

# nitro SECONDS ARGUMENT...: succeeds only on status 0 and JSON and no error text, for E00 exits 0.
# Leaves the JSON in nitro_answer, else the E-code (or `timeout`) in nitro_code and its text in nitro_error.
nitro() {
  local limit=$1 status=0 errors=$boot/nitro.$BASHPID
  shift
  timeout "$limit" nitro-cli "$@" >"$errors.out" 2>"$errors" 9>&- </dev/null || status=$?
  nitro_answer=$(<"$errors.out")
  nitro_error=$(<"$errors")
  rm -f "$errors" "$errors.out"
  understand "$status"
}

# run_enclave OPTION...: as nitro. The enclave lives in enclave-vm.service, so that it outlives the unit of its caller.
run_enclave() {
  local vm=$boot/vm refusal
  rm -rf "$vm"
  mkdir "$vm"
  printf '%s\n' "$@" >"$vm/options"
  # Restarted, not started: the unit stays active when the enclave in it has ended.
  refusal=$(systemctl restart enclave-vm.service 2>&1 9>&-) || true
  if [ ! -e "$vm/status" ]; then
    nitro_answer=
    nitro_code=unit
    nitro_error="systemd did not start enclave-vm.service: ${refusal:-no reason given}"
    return 1
  fi
  nitro_answer=$(<"$vm/answer")
  nitro_error=$(<"$vm/errors")
  understand "$(<"$vm/status")"
}

# understand STATUS: of nitro-cli, with its output in nitro_answer and nitro_error.
understand() {
  local status=$1
  # Progress may stand before the JSON, on the same stream.
  if [[ $nitro_answer != [[{]* ]]; then nitro_answer=$(sed -n '/^[[{]/,$p' <<<"$nitro_answer"); fi
  # The first code is the cause; E39 and E11 mostly follow another.
  nitro_code=
  if [[ $nitro_error =~ \[\ (E[0-9][0-9])\ \] ]]; then nitro_code=${BASH_REMATCH[1]}; fi
  if [ "$status" = 0 ] && [ -z "$nitro_code" ] && jq -e . <<<"$nitro_answer" >/dev/null 2>&1; then return 0; fi
  nitro_error=${nitro_error: -600}
  if [ "$status" = 124 ]; then nitro_code=timeout; fi
  if [ -z "$nitro_code" ]; then nitro_code=$(printf 'E%02d' "$status"); fi
  return 1
}

# class_of CODE: spec, image, transient, host, clock or unknown.
class_of() {
  case $1 in
    E01 | E02 | E03 | E2[0-7] | E34 | E47 | E58) echo spec ;;
    E30 | E35 | E48 | E49 | E5[0-2] | E59 | E60) echo image ;;
    E05 | E10 | E11 | E15 | E16 | E29 | E3[679] | E4[01] | timeout | unit) echo transient ;;
    E07 | E08 | E18 | E19 | E28 | E3[123] | E42 | E43) echo host ;;
    E53) echo clock ;;
    *) echo unknown ;;
  esac
}

# observe: JSON {observed, enclaves, message}. Not observed means nothing at all, least of all that none runs.
observe() {
  if ! nitro "$describe_limit" describe-enclaves; then
    blind "nitro-cli describe-enclaves: $nitro_code"
    return
  fi
  local enclaves socket
  enclaves=$(jq --arg name "$name" -f "$agent/lib/enclaves.jq" <<<"$nitro_answer")
  # A socket that nitro-cli may not read is left out without a word: one that answers and is not listed hides something.
  for socket in "$root"/run/nitro_enclaves/*.sock; do
    if [ -S "$socket" ] && ! listed "$socket" && answers "$socket"; then
      blind "the socket of an enclave could not be read"
      return
    fi
  done
  printf '{"observed": true, "enclaves": %s, "message": ""}\n' "$enclaves"
}

blind() { jq -n --arg message "$1" '{observed: false, enclaves: [], message: $message}'; }

# Named after the whole id or after its last part, by version.
listed() {
  local id
  id=$(basename "$1" .sock)
  jq -e --arg slot "${id##*enc}" 'any(.[]; .id | split("enc") | last == $slot)' <<<"$enclaves" >/dev/null
}

answers() { timeout 5 socat -u OPEN:/dev/null UNIX-CONNECT:"$1" 2>/dev/null; }

# terminate_all: by a name that may not be ours too, since a second start under one name makes `enclave_1`.
terminate_all() {
  local waited=0 seen
  nitro 60 terminate-enclave --all || log "terminate: $nitro_code"
  while :; do
    seen=$(observe)
    if jq -e '.observed and (.enclaves | length == 0)' <<<"$seen" >/dev/null; then return 0; fi
    if [ "$waited" -ge 120 ]; then
      fail host "$(if [ -n "$nitro_code" ]; then echo "$nitro_code"; else echo stuck; fi)" \
        'the enclave is still there two minutes after it was terminated'
    fi
    sleep 2
    waited=$((waited + 2))
  done
}
