"""What `fmd` does on the command line: a module for each command, with `add_arguments` and `run`."""
