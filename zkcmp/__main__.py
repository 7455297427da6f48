"""`python -m zkcmp` is the command `zkcmp`."""

from zkcmp.cli.entry import main

if __name__ == "__main__":
    main()
