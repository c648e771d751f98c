#!/usr/bin/env bash
# Sourced by scripts that run several independent commands: JOBS of them side by side, one line of result for each, and
# the whole output of those that failed at the end, where it is read. All outputs stay in tests/output/.

# A job a core: with more, a server's start takes so long beside the others that tests no longer tell slow from broken.
: "${JOBS:=$(nproc)}"

together_output=$PWD/tests/output/${0##*/}
rm -rf "$together_output"
mkdir -p "$together_output"

together() { # NAME COMMAND…
    local name=$1 start
    shift
    while [ "$(jobs -rp | wc -l)" -ge "$JOBS" ]; do wait -n; done
    (
        start=$SECONDS
        if "$@" >"$together_output/$name.log" 2>&1 </dev/null; then
            result=passed
        else
            result=FAILED
        fi
        echo "$result" >"$together_output/$name.result"
        printf '[%s] %s: %s (%s s)\n' "${0##*/}" "$name" "$result" "$((SECONDS - start))"
    ) &
}

together_need() { # NAME: waits until this job has passed; where it has not, nothing more is begun
    until [ -e "$together_output/$1.result" ]; do wait -n; done
    grep -qx passed "$together_output/$1.result" || { together_finish || exit; }
}

together_finish() { # Waits for all; shows what failed, and fails if anything did.
    local name result passed=0 failed=0
    wait
    for result in "$together_output"/*.result; do
        name=$(basename "$result" .result)
        if grep -qx passed "$result"; then
            passed=$((passed + 1))
        else
            failed=$((failed + 1))
            printf '\n[%s] %s failed:\n' "${0##*/}" "$name"
            cat "$together_output/$name.log"
        fi
        rm "$result"
    done
    printf '[%s] %d passed, %d failed\n' "${0##*/}" "$passed" "$failed"
    return "$((failed > 0))"
}
