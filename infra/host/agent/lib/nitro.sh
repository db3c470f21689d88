# nitro-cli, asked so that its answer can be relied on.
# shellcheck shell=bash

# Its first answer after a start waits for hashes of the whole image.
describe_limit=120
export NITRO_CLI_ARTIFACTS=$state/artifacts HOME=${HOME:-/root}

nitro_answer=
nitro_code=
nitro_class=
nitro_error=

# nitro SECONDS ARGUMENT...: succeeds only on status 0 and JSON and no error text, for E00 exits 0.
# Leaves the JSON in nitro_answer, else the E-code (or `timeout`) in nitro_code, its class in nitro_class and its cause in
# nitro_error.
nitro() {
  local limit=$1 status=0 errors=$boot/nitro.$BASHPID
  shift
  timeout "$limit" nitro-cli "$@" >"$errors.out" 2>"$errors" 9>&- </dev/null || status=$?
  nitro_answer=$(<"$errors.out")
  nitro_error=$(<"$errors")
  rm -f "$errors" "$errors.out"
  classify_answer "$status"
}

# run_enclave OPTION...: as nitro. The enclave lives in enclave-vm.service, so that it outlives the unit of its caller.
run_enclave() {
  local vm=$boot/vm refusal
  rm -rf "$vm"
  mkdir "$vm"
  printf '%s\n' "$@" >"$vm/options"
  # restart, because the unit stays active after its enclave has ended.
  refusal=$(systemctl restart enclave-vm.service 2>&1 9>&-) || true
  if [ ! -e "$vm/status" ]; then
    nitro_answer=
    nitro_code=unit
    nitro_class=transient
    nitro_error="systemd did not start enclave-vm.service: $(excerpt "${refusal:-it gave no reason}")"
    return 1
  fi
  nitro_answer=$(<"$vm/answer")
  nitro_error=$(<"$vm/errors")
  classify_answer "$(<"$vm/status")"
}

# classify_answer STATUS: of nitro-cli, with its output in nitro_answer and nitro_error.
classify_answer() {
  local status=$1
  # Progress may stand before the JSON, on the same stream.
  if [[ $nitro_answer != [[{]* ]]; then nitro_answer=$(sed -n '/^[[{]/,$p' <<<"$nitro_answer"); fi
  # The first code is the cause; E39 and E11 mostly follow another.
  nitro_code=
  if [[ $nitro_error =~ \[\ (E[0-9][0-9])\ \] ]]; then nitro_code=${BASH_REMATCH[1]}; fi
  if [ "$status" = 0 ] && [ -z "$nitro_code" ] && jq -e . <<<"$nitro_answer" >/dev/null 2>&1; then return 0; fi
  if [ "$status" = 124 ]; then nitro_code=timeout; fi
  if [ -z "$nitro_code" ]; then nitro_code=$(printf 'E%02d' "$status"); fi
  nitro_class=$(class_of "$nitro_code")
  # The code of a failed build says nothing of its cause, and a panic has no code.
  case $nitro_class in image | unknown) nitro_class=$(resource_class_of "$nitro_error" || echo "$nitro_class") ;; esac
  nitro_error=$(cause_of "$nitro_error")
  return 1
}

# cause_of TEXT: the sentence behind the first code, without the links behind it and the codes that follow from it. Where the
# text before names what failed, as that of a build does, this stands in place of what the sentence says of its kind.
cause_of() {
  local sentence='' before=${1%%\[ E[0-9][0-9] \]*} detail
  if [[ $1 =~ \[\ E[0-9][0-9]\ \]\ (.*) ]]; then
    sentence=${BASH_REMATCH[1]%%$'\n\n'*}
    sentence=${sentence%%For more details*}
  fi
  # Errors of other programs come quoted, with the two characters \n for a newline.
  detail=$(grep -m 1 -iE 'fatal error|out of memory|cannot allocate memory|no space left on device|signal: killed|panicked' \
    <<<"${before//\\n/$'\n'}") || detail=
  if [ -n "$sentence" ] && [ -n "$detail" ]; then
    sentence="${sentence%%. Such error*}: $detail"
  elif [ -z "$sentence" ]; then
    sentence=${detail:-${1:-it gave no reason}}
  fi
  excerpt "$sentence"
}

# class_of CODE: spec, image, transient, host, clock or unknown.
class_of() {
  case $1 in
    E01 | E02 | E03 | E2[0-7] | E34 | E47 | E58) echo spec ;;
    E30 | E35 | E48 | E49 | E5[12] | E59 | E60) echo image ;;
    # E50: it pulls only where the image that was built here is missing, which says nothing of the image of the spec.
    E05 | E10 | E11 | E15 | E16 | E29 | E3[679] | E4[01] | E50 | timeout) echo transient ;;
    E07 | E08 | E18 | E19 | E28 | E3[123] | E42 | E43) echo host ;;
    E53) echo clock ;;
    *) echo unknown ;;
  esac
}

# observe: JSON {observed, enclaves, message}. Not observed means nothing at all, least of all that none runs.
observe() {
  if ! nitro "$describe_limit" describe-enclaves; then
    blind "nitro-cli describe-enclaves: $nitro_code: $nitro_error"
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
  nitro 60 terminate-enclave --all || log "nitro-cli terminate-enclave: $nitro_code: $nitro_error"
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
