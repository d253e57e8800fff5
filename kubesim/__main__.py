"""``python -m kubesim``."""

from kubesim.cli.main import main

main()
