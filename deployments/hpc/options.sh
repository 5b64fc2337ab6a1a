# What the jobs do: the same in each of them. This is the file to change.

# Number of subsamples besides subsample 0, or of folds.
SUBSAMPLES=3

# The options of `inclinet full`; the last one of a name counts.
OPTIONS=(
    --impath galaxies --catalog galaxies/catalog.csv --outfolder inclinet-out
    --size 64 --niter "$SUBSAMPLES" --nbatch 10 --batchsize 100 --N_batch_iter 6
)

# Where `inclinet` is: an environment, or the image that inclinet.def builds.
# source /path/to/inclinet/.venv/bin/activate
# inclinet() { apptainer exec --nv inclinet.sif inclinet "$@"; }
