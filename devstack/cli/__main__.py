"""`python -m devstack.cli` is `yocaso` where the script is not installed."""

from devstack.cli.main import main

main(prog_name="yocaso")
