"""`make bench`: measure the product beside bare loops and peers, as ratios within one run.

A **part** is a module of this package with a constant `PART` (see `local.bench.runner.Part`); its
name stands in `PARTS` of `local/bench/__main__.py`. To add one:

1. Write its `variants`: a context manager that starts what the part needs (the product, a peer) and
   yields, by name, functions that measure once and return `Figures`. Everything stays running, so
   that the runner can visit the variants in a random order in each round. Raise `NotAvailable` for
   a variant that this machine cannot run: it is reported, never left out silently.
2. Write its `goals`: each is a ratio of two figures of one round. The runner takes the median of
   the rounds, and shows the spread of the control beside it.
3. Run `make bench ARGS="--record your_part"` on a quiet machine and commit
   `local/bench/recorded.json`. `make bench-quick` compares with those figures.

Processor time is user + system of whole process trees, read from /proc: it moves less than rates
and times when the machine is shared, and goals are written on it where possible.
"""
