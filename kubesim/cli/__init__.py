"""The command line: verbs, options, exit codes; everything else is done in the rooms below.

Exit codes: 0 passed, 1 an expectation failed, 2 bad input, 3 a bug of ours.
"""
