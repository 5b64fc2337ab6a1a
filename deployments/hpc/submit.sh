#!/usr/bin/env bash
# Submits all jobs, each to begin when the one before has succeeded. The arguments go to every sbatch, for example
# --partition=gpu --account=astro.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
source ./options.sh
submit() { sbatch --parsable --kill-on-invalid-dep=yes "$@" | cut -d ';' -f 1; }

prepare=$(submit "$@" prepare.sbatch)
train=$(submit --dependency="afterok:$prepare" --array="0-$SUBSAMPLES" "$@" train.sbatch)
publish=$(submit --dependency="afterok:$train" "$@" publish.sbatch)
echo "prepare $prepare, train $train (tasks 0 to $SUBSAMPLES), publish $publish"
