# Owns: jobs that run side by side, and whose output appears in one piece.
# Sourced after results.sh.
# shellcheck shell=bash

QUEUE=()

# queue_up COMMAND...: a function and its arguments, for run_queue.
queue_up() { QUEUE+=("$(printf '%q ' "$@")"); }

# run_queue LANES: all that has been queued up, so many at once, in this order.
run_queue() { # LANES
  local lane number pids=()
  mkdir "$RESULTS/queue"
  for ((lane = 0; lane < $1; lane++)); do
    run_lane &
    pids+=($!)
  done
  wait "${pids[@]}" || true
  for number in "${!QUEUE[@]}"; do
    [ -e "$RESULTS/queue/$number/done" ] ||
      fail queue "it did not end: ${QUEUE[number]}" "$RESULTS/queue/$number/output"
  done
}

run_lane() {
  local number place words
  trap 'stop_jobs; exit 130' INT TERM HUP
  for number in "${!QUEUE[@]}"; do
    place="$RESULTS/queue/$number"
    # Only one lane can make it: that takes the job.
    mkdir "$place" 2>/dev/null || continue
    read -r -a words <<<"${QUEUE[number]}"
    more "running: ${words[*]:0:2}"
    eval "${QUEUE[number]}" >"$place/output" 2>&1
    touch "$place/done"
    printf '[%s of %s] %s\n' "$(find "$RESULTS/queue" -name "done" | wc -l)" \
      "${#QUEUE[@]}" "$(cat "$place/output")"
  done
}
