# Pauses retries of a failed image, because registries limit requests. A command or a new configuration ends the pause.
# shellcheck shell=bash

pause=$boot/image-pause.json

paused() {
  [ "$(read_json "$pause" '.of == $of and .until > $at and .until <= $at + 300' \
    --arg of "$(configuration_digest "$wanted")" --argjson at "$(now)")" = true ]
}

# pause_after STATUS: of the step; from 30 s it doubles to 5 min. After EX_DATAERR there is none: the image waits for a change.
pause_after() {
  if [ "$1" = 0 ] || [ "$1" = "$EX_DATAERR" ]; then
    rm -f "$pause"
    return
  fi
  local at
  at=$(now)
  read_json "$pause" '(if .of == $of then .failures + 1 else 1 end) as $failures
    | {of: $of, failures: $failures, until: ($at + ([300, 30 * pow(2; $failures - 1)] | min))}' \
    --arg of "$(configuration_digest "$wanted")" --argjson at "$at" | write_file "$pause"
  log "retrying the image in $(read_json "$pause" '.until - $at' --argjson at "$at") s"
}
