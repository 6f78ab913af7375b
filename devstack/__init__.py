"""The development stack: real parts as child processes, doubles of the hosted vendors.

Tests, `make demo` and the command-line tool start the platform through this package. It runs the
platform as programs (`python -m app ...`) and imports nothing of it above chassis and errors.
"""
