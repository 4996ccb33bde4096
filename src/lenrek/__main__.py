"""`python -m lenrek` is `lenrek`; `torchrun -m lenrek` runs it in several processes."""

from lenrek.cli import main

main()
