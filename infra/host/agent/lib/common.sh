# Paths, journal, time, files and failures that every part of the agent shares.
# shellcheck shell=bash
set -Eeuo pipefail
umask 077

root=${ENCLAVE_ROOT:-}
agent=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
step=${0##*/}
# What must survive a reboot, and what must not.
state=$root/var/lib/enclave
boot=$root/run/enclave
logs=$root/var/log/enclave
mkdir -p "$state" "$boot" "$logs"

# The configuration as last fetched, and as it is in force.
wanted=$state/wanted.json
applied=$state/applied.json
image=$state/image.json
name=enclave

# Who this host is, from its user data: plain words, checked before they were written.
# shellcheck disable=SC1091
if [ -e "$root/etc/enclave/host.env" ]; then . "$root/etc/enclave/host.env"; fi

# Codes that systemd takes as "useless to repeat" and "repeat" (see sysexits.h).
EX_DATAERR=65
EX_TEMPFAIL=75

now() { date +%s; }
timestamp() { date -u +%Y-%m-%dT%H:%M:%S.%3NZ; }

# log WORD...: one line, whatever is in it. Text of others never looks like a measurement, which the application reads there.
log() {
  local line="$*"
  log_line "${line//\[PCR\]/(PCR)}"
}

log_line() { printf '%s [%s] %s\n' "$(timestamp)" "$step" "${1//[[:cntrl:]]/ }" >>"$logs/agent.log"; }

# excerpt TEXT: one line of at most 270 characters, for the operator shows 300 of a message. Too long a text loses its middle,
# since its cause may stand at either end; URLs lose their queries, which may hold signatures.
excerpt() {
  local text limit=270
  text=$(sed -E -e 's/(https?:[^ ?"]*)\?[^ "]*/\1?.../g' -e 's/\[(PCR|SUCCESS|ERROR)\]/(\1)/g' <<<"${1:0:100000}" | tr -s '[:cntrl:] ' ' ')
  text=${text% }
  if [ "${#text}" -gt "$limit" ]; then text="${text:0:limit/2} ... ${text: -(limit/2 - 5)}"; fi
  printf '%s' "$text"
}

# resource_class_of TEXT: the class of a lack of memory, disk or network, which neither spec nor image causes; else fails.
resource_class_of() {
  case ${1,,} in
    *'no space left on device'* | *'out of memory'* | *'cannot allocate memory'* | *'signal: killed'*) echo host ;;
    *'toomanyrequests'* | *'too many requests'* | *'timeout'* | *'timed out'* | *'deadline exceeded'* | *'connection refused'* | \
      *'connection reset'* | *'no such host'* | *'temporary failure'* | *'cannot connect to the docker daemon'*) echo transient ;;
    *) return 1 ;;
  esac
}

# write_file PATH: standard input, whole or not at all; what must survive also after a loss of power.
write_file() {
  local draft=$1.$BASHPID
  cat >"$draft"
  if [[ $1 != "$boot"/* ]]; then sync "$draft"; fi
  mv "$draft" "$1"
}

# present FILE: the file, or an empty one, for jq's slurpfile.
present() { if [ -e "$1" ]; then echo "$1"; else echo /dev/null; fi; }

# read_json FILE FILTER [JQ OPTION...]: raw output; the value is null where there is no file.
read_json() {
  local file=$1 filter=$2
  shift 2
  if [ -e "$file" ]; then jq -r "$@" "$filter" "$file"; else jq -nr "$@" "null | $filter"; fi
}

# wanted_value FILTER: of the configuration that is to be carried out.
wanted_value() { read_json "$wanted" "$1"; }

digest_of() { sha256sum | cut -d ' ' -f 1; }

# configuration_digest FILE: equal for configurations of equal meaning.
configuration_digest() { read_json "$1" . -cS | digest_of; }

# fingerprint: of everything an enclave must be started anew for; its image stands for all that is measured.
fingerprint() { jq -L "$agent/lib" -r --slurpfile image "$image" 'include "fingerprint"; fingerprint($image[0])' "$wanted"; }

# needs FILE WHAT: what an earlier step makes; that step has said by itself why it is not there.
needs() {
  if [ -e "$1" ]; then return 0; fi
  log "waiting: $2"
  exit "$EX_TEMPFAIL"
}

# fail CLASS CODE MESSAGE: what the next report says; spec and image faults are not cured by trying again.
fail() {
  record_error "$@"
  log "failed ($1, $2): $3"
  case $1 in
    spec | image) exit "$EX_DATAERR" ;;
    *) exit "$EX_TEMPFAIL" ;;
  esac
}

# The error names its generation, so that the operator does not apply an old error to a new configuration.
record_error() {
  local of generation
  of=$(configuration_digest "$wanted")
  generation=$(wanted_value '.generation | numbers')
  jq -n --arg class "$1" --arg code "$2" --arg message "${3:0:1000}" --arg step "$step" --arg at "$(timestamp)" \
    --arg of "$of" --argjson generation "${generation:-null}" '$ARGS.named' | write_file "$boot/error.json"
}

# Only the step that failed can say that it no longer does.
clear_error() {
  if [ -e "$boot/error.json" ] && [ "$(read_json "$boot/error.json" '.step // ""')" = "$step" ]; then rm -f "$boot/error.json"; fi
}

# exclusive: one part of the agent changes things at a time; what it starts inherits the lock.
exclusive() {
  if [ "${ENCLAVE_LOCKED:-}" = yes ]; then return 0; fi
  exec 9>"$boot/lock"
  flock "$@" 9 || return 1
  export ENCLAVE_LOCKED=yes
}

trap 'status=$?; trap - ERR; log "stopped at line $LINENO with status $status"; exit "$status"' ERR
