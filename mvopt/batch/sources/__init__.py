"""Reading data sets from files, a block at a time."""
