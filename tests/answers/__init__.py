"""Answers of strangers to the exercises: WRONG ones with what their message must say, RIGHT ones in other styles.

The mistakes of an exercise are patches of its own solution, so they prove nothing about answers written by others.
Each file here has at least three wrong answers and two right ones that were written without the solution in view.
"""
