"""`yocaso`, the command line: the stack on one machine, and tools for who develops and operates.

A module a command; `main.py` puts them together. Commands speak to the platform over HTTP as any
client does, operators' commands also to Restate's admin port. `connection.py` finds out where,
`output.py` knows how results and mistakes are shown: tables for people, `--json` for programs.
"""
