# Sourced by dist_*.sh and slurm_*.sh: one command in several processes.
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# over_processes SCRIPT GPUS [ARG ...]: of this machine, or of several (NNODES, NODE_RANK,
# MASTER_ADDR, PORT); without CUDA the processes talk over gloo
over_processes() {
    local script=$1 gpus=$2 rendezvous
    check_processes GPUS "$gpus"
    shift 2
    if [ "${NNODES:-1}" = 1 ] && [ -z "${PORT:-}" ]; then
        # any free port: several runs fit on one machine
        rendezvous=(--standalone)
    else
        rendezvous=(--nnodes="${NNODES:-1}" --node_rank="${NODE_RANK:-0}"
            --master_addr="${MASTER_ADDR:-127.0.0.1}" --master_port="${PORT:-29500}")
    fi
    exec "${PYTHON:-python}" -m torch.distributed.run "${rendezvous[@]}" --nproc_per_node="$gpus" \
        "$HERE/$script" "$@" --launcher pytorch
}

# over_slurm SCRIPT PARTITION JOB_NAME [ARG ...]: GPUS, GPUS_PER_NODE, CPUS_PER_TASK and SRUN_ARGS
# come from the environment
over_slurm() {
    local script=$1 partition=$2 job=$3 gpus=${GPUS:-8} per_node=${GPUS_PER_NODE:-8}
    check_processes GPUS "$gpus"
    check_processes GPUS_PER_NODE "$per_node"
    shift 3
    [ "$per_node" -le "$gpus" ] || per_node=$gpus
    # shellcheck disable=SC2086  # SRUN_ARGS is a list of words
    exec srun --partition="$partition" --job-name="$job" --gres="gpu:$per_node" \
        --ntasks="$gpus" --ntasks-per-node="$per_node" --cpus-per-task="${CPUS_PER_TASK:-5}" \
        --kill-on-bad-exit=1 ${SRUN_ARGS:-} \
        "${PYTHON:-python}" -u "$HERE/$script" "$@" --launcher slurm
}

# usage_unless COUNT MINIMUM TEXT
usage_unless() {
    USAGE="usage: $0 $3"
    if [ "$1" -lt "$2" ]; then
        echo "$USAGE" >&2
        exit 2
    fi
}

# check_processes NAME NUMBER
check_processes() {
    if [[ ! $2 =~ ^[1-9][0-9]*$ ]]; then
        echo "$1 is the number of processes, at least 1, on a CPU too, got '$2'; $USAGE" >&2
        exit 2
    fi
}
