"""A small problem in the registers of one thread of a GPU, from its start to its end.

XLA runs a loop of many small operations on a GPU as many kernels, which write to memory what the
next one reads. Here the whole iteration of a solver is one kernel, and each thread has a problem of
its own. Nothing is written by hand for a solver or a model: their jaxprs are taken apart into
operations on single numbers.

    jaxpr ──► entries ──► graph ──► emit ──► kernel
              one entry    a node    loops    the iteration, in Pallas
              of a result  for each  for the
              asks for     different long
              others       number    sums
"""
