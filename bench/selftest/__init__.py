"""The proof that the race is fair: contenders whose truth is known, measured as all others are.

`schemes` asks how contenders should take turns, `power` how often equal ones are called different
and which slowdown is found; both with and without a `neighbour` that disturbs the machine. Figures
and the commands that repeat them: docs/measuring.md.
"""
