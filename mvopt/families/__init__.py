"""What the solvers of a family share: their problem, its model at a point, their iteration."""
