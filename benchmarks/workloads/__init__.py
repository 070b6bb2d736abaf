"""The workloads, one file each, with what only they need beside them."""
