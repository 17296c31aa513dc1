#!/usr/bin/env bash
# The long form of the fault suite: every scenario at full size, round after round with new seeds, for so many minutes.
# usage: soak.sh MINUTES [SCENARIO...]
set -Eeuo pipefail
export FAULT_MINUTES="${1:?usage: soak.sh MINUTES [SCENARIO...]}"
export FAULT_JOBS="${FAULT_JOBS:-500}"
exec "$(dirname "${BASH_SOURCE[0]}")/faults.sh" "${@:2}"
