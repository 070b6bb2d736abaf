"""The constrained problems of Hock and Schittkowski, with their starts and minima found again.

W. Hock, K. Schittkowski (1981), Test Examples for Nonlinear Programming Codes, Lecture Notes in
Economics and Mathematical Systems 187, Springer. The numbers are the book's, which has no 82, 94
and 115. Simple bounds are bounds; the order of the other constraints may not be the book's.

Known misprints are corrected, each to what gives the printed minimum: in 47 the second power is 2,
not 3; in 54 the first variable is measured from 1e4, not 1e6; in 59 a coefficient is 3.4054e-4, not
3.405e-4; in 87 an angle is 1.48477, not 1.48577, and the fifth variable at most 1000, not 10000; in
105 the last two observations are 260, not 250. In 67 the book iterates to a tolerance of 1e-3 and
1e-4 for what is here in closed form.

`best` is in closed form where the book has one. The others were found with SciPy's SLSQP and
trust-constr in float64, from the published start, from the published minimiser and from ten to
fifty others, and polished by Newton steps on the conditions of the active constraints until they
held to rounding (84, a vertex, follows from its equation);
`local` are the other minima that were reached by them, and there may be more. The printed minima
agree to 5 digits, those of 58, 59, 67, 95, 96, 105 and 116 to fewer than 7; the exceptions are 112,
where -47.707579 is no minimum, and 85 and 106, where -1.90513375 and 7049.330923 are 1.1e-5 and
1.2e-5 off.

No multipliers exist at the minimum of 13, the equations of 55 are dependent, and the objective of
25 is flat at the start, that of 54 nearly so; in 8 it is constant. The second minimum of 57 is
approached as its second variable goes to infinity. The objective of 87 jumps: as its second
variable approaches 100, where the jump is, values approach 8853.53989 without reaching it.
"""

from benchmarks.problems import (
    hock_schittkowski_001_040,
    hock_schittkowski_041_060,
    hock_schittkowski_061_081,
    hock_schittkowski_083_099,
    hock_schittkowski_100_109,
    hock_schittkowski_110_119,
)

PROBLEMS = (
    *hock_schittkowski_001_040.PROBLEMS,
    *hock_schittkowski_041_060.PROBLEMS,
    *hock_schittkowski_061_081.PROBLEMS,
    *hock_schittkowski_083_099.PROBLEMS,
    *hock_schittkowski_100_109.PROBLEMS,
    *hock_schittkowski_110_119.PROBLEMS,
)
BY_NAME = {problem.name: problem for problem in PROBLEMS}
