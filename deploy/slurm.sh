#!/usr/bin/env bash
# A Ray cluster in one Slurm allocation: a head with the driver on the first node, a worker on each node.
#
#   up and submit:  sbatch deploy/slurm.sh --data data --trials 50
#   see:            python -m search.status sweeps/default
#   down:           scancel JOBID
#
# Submit it from the project's folder, set up with `make sweep`, on a file system that all nodes share. A GPU needs
# NVIDIA's driver 580 or newer. Preempted, or out of time, it is put back into the queue, and the same command goes on.

#SBATCH --job-name=sweep
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=8
#SBATCH --gpus-per-node=1
#SBATCH --time=08:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=B:USR1@120

set -euo pipefail
umask 077

python=.venv/bin/python
ray=.venv/bin/ray
port=$((20000 + SLURM_JOB_ID % 20000)) # of this job alone: nodes may be shared
head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
head_address=$(srun --nodes=1 --ntasks=1 --nodelist="$head" hostname --ip-address | awk '{print $1}')

# The cluster's key, new with every start, read by the job's nodes from the shared folder.
folder=$(mktemp -d "$PWD/.slurm-$SLURM_JOB_ID-XXXXXX")
trap 'rm -rf "$folder"' EXIT
export RAY_AUTH_TOKEN_PATH=$folder/auth_token
openssl rand -hex 32 >"$RAY_AUTH_TOKEN_PATH"
chmod 600 "$RAY_AUTH_TOKEN_PATH"

# srun ends what it started when the job ends; --block keeps Ray in the foreground for it.
srun --overlap --nodes=1 --ntasks=1 --nodelist="$head" env RAY_AUTH_MODE=token RAY_USAGE_STATS_ENABLED=0 \
    "$ray" start --head --num-cpus=0 --num-gpus=0 --node-ip-address="$head_address" --port="$port" \
    --dashboard-host=127.0.0.1 --block &
export RAY_AUTH_MODE=token
until "$ray" health-check --address "$head_address:$port" 2>/dev/null; do sleep 1; done
srun --overlap --nodes="$SLURM_NNODES" --ntasks="$SLURM_NNODES" \
    env RAY_AUTH_MODE=token RAY_USAGE_STATS_ENABLED=0 \
    "$ray" start --address="$head_address:$port" --num-cpus="$SLURM_CPUS_PER_TASK" --block &

driver=
out_of_time=
# shellcheck disable=SC2317 # the traps call it
stop() {
    if [ -z "$driver" ]; then exit 143; fi
    stopped=yes
    kill -TERM "$driver"
}
trap 'out_of_time=yes; stop' USR1
trap stop TERM # cancelled, or preempted: then Slurm itself puts it back into the queue
"$python" -m search.run --address "$head_address:$port" "$@" &
driver=$!
stopped=yes
while [ -n "$stopped" ]; do # a wait ends with a signal, and then the driver has still to end
    stopped=
    code=0
    wait "$driver" || code=$?
done
if [ -n "$out_of_time" ] && [ "$code" -ne 0 ]; then
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
