"""`python -m zseval` is `zseval`."""

from zseval.cli.main import run

if __name__ == "__main__":
    run()
